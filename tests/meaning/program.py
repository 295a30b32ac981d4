"""Workflow programs as data: what the strategies generate, the engine runs, the model predicts and a failure prints.

A script is a list of plain tuples, so that a body needs nothing but its own closure and crosses to a worker by value.
A script with control steps counts its runs in the channel (`n.<task>`): they act while `first <= n < last`, which makes
every script a function of the channel alone and every program finite by construction or by the model's budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from .scripts import Fragment, Plain, Step

Policy = Any  # "strict" | "best_effort" | ("at_least", n) | ("critical", (ids...))
#: (name, whether it has no default, default, whether it is keyword-only, annotation or None)
Parameter = tuple[str, bool, Any, bool, "str | None"]
Pairs = tuple[tuple[str, Any], ...]

ITERATION = re.compile(r"_cycle_(\d+)_[0-9a-f]+")
#: What the contract leaves to the engine: where else an open parameter was looked for, and how failed items are listed.
WORDING = re.compile(r" \(not bound; (?:[^()]|\([^()]*\))*\)")
ITEMS = re.compile(r"^(Map \S+ failed): .*", re.DOTALL)


@dataclass(frozen=True)
class Task:
    """One task: its script, what it returns (a value, ("read", key) or ("argument", name)), its limits, its function.

    `form` says how the function is made:

    - "context": `def body(ctx, data=None)`, a closure;
    - "both": a closure with the context and `parameters`; "plain" and "lambda": without the context;
    - "shared": an instance of a definition that others have too, its script bound, with the context; "instance":
      the same without it; "imported": the same with a function that can be imported.
    """

    id: str
    steps: tuple[Step, ...] = ()
    returns: Any = None
    max_retries: int = 0
    delay: float = 0.0
    max_cycles: int | None = None
    form: str = "context"
    parameters: tuple[Parameter, ...] = ()
    bound: Pairs = ()
    options: Pairs = ()

    def plain(self) -> Plain:
        """The same as a tuple, for closures that must not refer to this module."""
        return tuple(getattr(self, name) for name in FIELDS)


FIELDS = [field.name for field in fields(Task)]


@dataclass(frozen=True)
class Group:
    """A parallel group: the heads of its branches (tasks, maps or groups defined before) and its policy."""

    id: str
    members: tuple[str, ...]
    policy: Policy = "strict"


@dataclass(frozen=True)
class Map:
    """A task run for each item: those given, or what the named task returned, or (None) the one before."""

    id: str
    task: Task
    items: tuple[Any, ...] | str | None = None
    policy: Policy = "strict"
    chunk: int | None = None


Node = Task | Group | Map


@dataclass(frozen=True)
class Program:
    """A whole workflow: nodes in order of definition, edges in order of definition, where to start.

    With a `pace` bodies begin and end a little later than they could, each by a time of its own that follows from it.
    `options` are those of `execute`; with `traced` a tracer listens.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...] = ()
    start: str | None = None
    max_steps: int | None = None
    pace: int = 0
    options: Pairs = ()
    traced: bool = False

    def __str__(self) -> str:
        from .render import render

        return render(self)

    def uses(self, op: str) -> bool:
        """Whether any script of the program, fragments included, has a step `op`."""
        return f"('{op}'," in repr(self)

    def option(self, name: str, default: Any = None) -> Any:
        """One of the options of `execute`."""
        return dict(self.options).get(name, default)

    def tasks(self) -> Iterator[Task]:
        """All tasks, those of maps and fragments included."""
        for node in self.nodes:
            if isinstance(node, Group):
                continue
            task = node.task if isinstance(node, Map) else node
            yield task
            for step in task.steps:
                if step[0] in ("next", "share") and isinstance(step[1], tuple):
                    yield from (Task(*plain) for plain in fragment_tasks(step[1]))


@dataclass(frozen=True)
class Outcome:
    """All that a user can observe of a run; two placements agree when these are equal."""

    result: str | None = None
    channel: tuple[tuple[str, str], ...] = ()
    sums: tuple[tuple[str, str], ...] = ()
    completed: tuple[str, ...] = ()
    steps: int = 0
    stop_reason: str | None = None
    printed: str = ""
    error: tuple[str, str, str] | None = None  # type, message, cause
    failed: tuple[tuple[str, str], ...] = ()  # members of the group that failed the run
    logged: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    traced: tuple[str, ...] = ()  # what a tracer was told
    notes: frozenset[str] = field(default=frozenset(), compare=False)  # of the model: rules of `waiting` that were used


def mask(name: str) -> str:
    """The name with the random part of iteration ids masked, and what the contract does not word."""
    if "(not bound; " in name:
        name = WORDING.sub("", name)
    return ITERATION.sub(r"_cycle_\1_*", ITEMS.sub(r"\1", name))


def fragment_tasks(part: Fragment) -> Iterator[Plain]:
    """All plain tasks of a fragment."""
    if part[0] == "task":
        yield part[1]
        return
    for inner in part[1] if part[0] == "chain" else part[2]:
        yield from fragment_tasks(inner)
