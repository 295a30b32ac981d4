"""What the reference model keeps: scopes, activations, branches, what a body is given, and how things fail."""

from __future__ import annotations

import contextlib
import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

DEFAULT_MAX_CYCLES = 10
#: There is no single task before, so it returned nothing.
NOTHING: Any = object()


class Returned(NamedTuple):
    """What the single task before returned when its completion started this one."""

    name: str
    value: Any


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
    """What a branch sees of the channel: a copy of its parent's view, and a log of its own writes.

    A time to live that is not positive is over at once, any other one not before the run ends: no clock is needed.
    """

    def __init__(self, parent: Scope | None = None) -> None:
        self.data: dict[str, Any] = copy.deepcopy(parent.data) if parent else {}
        self.sums: dict[str, int] = parent.sums if parent else {}
        self.log: list[tuple[Any, ...]] = []
        self.locked = False
        self.notes: set[str] = parent.notes if parent else set()  # see `waiting`

    def replay(self, log: list[tuple[Any, ...]]) -> None:
        """Repeat the writes of a branch here, in the order they were made."""
        for op, *args in log:
            getattr(self, op)(*copy.deepcopy(args))

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        if self.locked:
            self.sums[key] = value
            return
        self.log.append(("set", key, copy.deepcopy(value), ttl))
        self.data[key] = value
        self._expire(key, ttl)

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        items = self._list(key)
        self.log.append(("append", key, value, ttl))
        items.append(value)
        self._expire(key, ttl)
        return len(items)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        items = self._list(key)
        self.log.append(("prepend", key, value, ttl))
        items.insert(0, value)
        self._expire(key, ttl)
        return len(items)

    def clear(self) -> None:
        self.log.append(("clear",))
        self.data.clear()

    @contextlib.contextmanager
    def lock(self, _name: str) -> Iterator[None]:
        """What happens inside is everybody's at once."""
        self.locked = True
        yield
        self.locked = False

    def _expire(self, key: str, ttl: int | None) -> None:
        if ttl is not None and ttl <= 0:
            del self.data[key]

    def delete(self, key: str) -> bool:
        self.log.append(("delete", key))
        return self.data.pop(key, self) is not self

    def atomic_add(self, key: str, amount: int) -> None:
        self.sums[key] = self.sums.get(key, 0) + amount

    def get(self, key: str, default: Any = None) -> Any:
        return (self.sums if self.locked else self.data).get(key, default)

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
    cause: Any = NOTHING  # what the single task `Returned` whose completion decided it


@dataclass
class Branch:
    """A FIFO run: the workflow's own (no parent) or one member's."""

    head: str
    scope: Scope
    parent: Branch | None = None
    queue: deque[Activation] = field(default_factory=deque)
    delayed: deque[Activation] = field(default_factory=deque)
    fired: dict[str, dict[str, Any]] = field(default_factory=dict)  # waiting join -> who completed, and its value
    adopted: set[str] = field(default_factory=set)  # what this branch enqueued by directives
    names: dict[str, str] = field(default_factory=dict)  # of nodes that were made in it -> node
    cycles: dict[str, int] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    gotos: list[Any] = field(default_factory=list)  # (node, given task, the caller's value) to be carried to the join
    steps: int = 0
    stopped: str | None = None  # "terminated" | "max_steps"
    last: Any = None


class Carried(tuple):  # type: ignore[type-arg]
    """A goto on its way out of a branch: the node, the task to run there, and what the caller returned."""


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
