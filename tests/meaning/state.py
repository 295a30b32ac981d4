"""What the reference model keeps: scopes, activations, branches, what a body is given, and how things fail."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import Any

DEFAULT_MAX_CYCLES = 10


class Unsuitable(Exception):
    """A program that the tests leave out."""


class TooLong(Unsuitable):
    """It takes more attempts than the tests want to spend on one program."""


class Failure(Exception):
    """A branch failed: (type, message, cause) as a user would see it, and the failed members if a group did it."""

    def __init__(self, kind: str, message: str, cause: str = "", failed: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.error, self.failed = (kind, message, cause), failed


class CycleLimitExceededError(Exception):
    """What `next_iteration` raises inside a body."""

    def __init__(self, task: str, count: int, limit: int) -> None:
        super().__init__(f"Cycle limit exceeded for task {task}: {count}/{limit} cycles")
        self.values = task, count, limit

    def __str__(self) -> str:
        return "CycleLimitExceededError(task_id={}, cycle_count={}, max_cycles={})".format(*self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.values


class Scope:
    """What a branch sees of the channel: a copy of its parent's view, and a log of its own writes."""

    def __init__(self, parent: Scope | None = None) -> None:
        self.data: dict[str, Any] = copy.deepcopy(parent.data) if parent else {}
        self.sums: dict[str, int] = parent.sums if parent else {}
        self.log: list[tuple[Any, ...]] = []

    def replay(self, log: list[tuple[Any, ...]]) -> None:
        """Repeat the writes of a branch here, in the order they were made."""
        for op, *args in log:
            getattr(self, op)(*copy.deepcopy(args))

    def set(self, key: str, value: Any) -> None:
        self.log.append(("set", key, copy.deepcopy(value)))
        self.data[key] = value

    def append(self, key: str, value: Any) -> None:
        self.log.append(("append", key, value))
        self._list(key).append(value)

    def prepend(self, key: str, value: Any) -> None:
        self.log.append(("prepend", key, value))
        self._list(key).insert(0, value)

    def delete(self, key: str) -> bool:
        self.log.append(("delete", key))
        return self.data.pop(key, self) is not self

    def atomic_add(self, key: str, amount: int) -> None:
        self.sums[key] = self.sums.get(key, 0) + amount

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)

    def exists(self, key: str) -> bool:
        return key in self.data

    def keys(self) -> list[str]:
        return list(self.data)

    def _list(self, key: str) -> list[Any]:
        value = self.data.setdefault(key, [])
        if not isinstance(value, list):
            raise TypeError(f"Key '{key}' exists but is not a list")
        return value


@dataclass
class Activation:
    """One decision that a node shall run; `name` is its task's, or that of an iteration."""

    node: str
    name: str
    data: Any = None
    retries: int = 0
    given: Any = None  # the task to run in place of the node's own


@dataclass
class Branch:
    """A FIFO run: the workflow's own (no parent) or one member's."""

    head: str
    scope: Scope
    parent: Branch | None = None
    queue: deque[Activation] = field(default_factory=deque)
    delayed: deque[Activation] = field(default_factory=deque)
    fired: dict[str, set[str]] = field(default_factory=dict)  # waiting join -> predecessors that completed
    adopted: set[str] = field(default_factory=set)  # what this branch enqueued by directives
    names: dict[str, str] = field(default_factory=dict)  # of nodes that were made in it -> node
    cycles: dict[str, int] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    gotos: list[Any] = field(default_factory=list)  # (node, given task) to be carried to the join
    steps: int = 0
    stopped: str | None = None  # "terminated" | "max_steps"
    last: Any = None


class Context:
    """What a body is given: it reads and writes the scope, and collects directives until the body returns."""

    def __init__(self, branch: Branch, activation: Activation, task_id: str, limit: int | None) -> None:
        self.branch, self.activation, self.task_id = branch, activation, task_id
        self.limit = DEFAULT_MAX_CYCLES if limit is None else limit
        self.directives: list[tuple[str, Any]] = []
        self.cancel: str | None = None
        self.terminate: str | None = None

    cycle_count = property(lambda self: self.branch.cycles[self.task_id])
    retry_count = property(lambda self: self.activation.retries)

    def get_channel(self) -> Scope:
        return self.branch.scope

    def get_result(self, name: str) -> Any:
        return self.branch.scope.get(name + ".__result__")

    def next_iteration(self, data: Any) -> None:
        if self.cycle_count >= self.limit:
            raise CycleLimitExceededError(self.task_id, self.cycle_count, self.limit)
        self.directives.append(("iterate", data))

    def terminate_workflow(self, message: str) -> None:
        self.terminate = message

    def cancel_workflow(self, message: str) -> None:
        self.cancel = message
