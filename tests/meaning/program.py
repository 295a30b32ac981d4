"""Workflow programs as data: what the strategies generate, the engine runs, the model predicts and a failure prints.

A script is a list of plain tuples, so that a body needs nothing but its own closure and crosses to a worker by value.
Its first act is to count itself in the channel (`n.<task>`): control steps act while `first <= n < last`, which makes
every script a function of the channel alone and every program finite by construction or by the model's budget.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Step = tuple[Any, ...]  # ("print", text) | ("set", key, value) | ... see `make_player`
Fragment = tuple[Any, ...]  # ("task", Task as tuple) | ("chain", parts) | ("group", label, members, policy)
Policy = Any  # "strict" | "best_effort" | ("at_least", n) | ("critical", (ids...))

ITERATION = re.compile(r"_cycle_(\d+)_[0-9a-f]+")
EXECUTORS: dict[str, dict[str, Any]] = {
    "inline": {"executor": "inline"},
    "thread": {"executor": "thread", "max_workers": 2},
    "process(1)": {"executor": "process", "max_workers": 1},
    "process(2)": {"executor": "process", "max_workers": 2},
    "auto": {"executor": "auto", "max_workers": 2},
}


@dataclass(frozen=True)
class Task:
    """One task: its script, what it returns (a value, or ("read", key)), and its limits."""

    id: str
    steps: tuple[Step, ...] = ()
    returns: Any = None
    max_retries: int = 0
    delay: float = 0.0
    max_cycles: int | None = None

    def plain(self) -> tuple[Any, ...]:
        """The same as a tuple, for closures that must not refer to this module."""
        return (self.id, self.steps, self.returns, self.max_retries, self.delay, self.max_cycles)


@dataclass(frozen=True)
class Group:
    """A parallel group: the heads of its branches (tasks or groups defined before) and its policy."""

    id: str
    members: tuple[str, ...]
    policy: Policy = "strict"


@dataclass(frozen=True)
class Program:
    """A whole workflow: nodes in order of definition, edges in order of definition, where to start.

    With a `pace` bodies begin and end a little later than they could, each by a time of its own that follows from it.
    """

    nodes: tuple[Task | Group, ...]
    edges: tuple[tuple[str, str], ...] = ()
    start: str | None = None
    max_steps: int | None = None
    pace: int = 0

    def __str__(self) -> str:
        from .render import render

        return render(self)

    def uses(self, op: str) -> bool:
        """Whether any script of the program, fragments included, has a step `op`."""
        return f"('{op}'," in repr(self)


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


def mask(name: str) -> str:
    """The name with the random part of iteration ids masked."""
    return ITERATION.sub(r"_cycle_\1_*", name)


def language() -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """`make_player`, `create` and `as_policy`: nested, so that they cross to a worker by value."""

    def make_player(task: tuple[Any, ...]) -> Callable[..., Any]:
        """The script as `play(ctx, say, spawn, data)`; the engine and the model differ only in what they pass."""
        name, steps, returns = task[0], task[1], task[2]

        def play(ctx: Any, say: Any, spawn: Any, data: Any = None) -> Any:
            channel = ctx.get_channel()
            n = channel.get("n." + name, 0)
            channel.set("n." + name, n + 1)
            if data is not None:
                say(f"{name} got {data}")
            for op, *args in steps:
                if op == "print":
                    say(f"{name}: {args[0]}")
                elif op == "set":
                    channel.set(args[0], list(args[1]) if isinstance(args[1], tuple) else args[1])
                elif op == "count":
                    channel.set(args[0], channel.get(args[0], 0) + 1)
                elif op in ("append", "prepend"):
                    getattr(channel, op)(args[0], args[1])
                elif op == "delete":
                    say(f"{name}: deleted {args[0]} {channel.delete(args[0])}")
                elif op == "add":
                    channel.atomic_add(args[0], args[1])
                elif op == "read":
                    say(f"{name}: {args[0]}={channel.get(args[0])!r} {channel.exists(args[0])}")
                elif op == "keys":
                    keys = channel.keys()
                    say(f"{name}: keys {[key for key in keys if '.' not in key and '+' not in key]}")
                elif op == "result":
                    say(f"{name}: {args[0]} gave {ctx.get_result(args[0])!r}")
                elif op == "counters":
                    say(f"{name}: cycle {ctx.cycle_count} retry {ctx.retry_count}")
                elif not args[-2] <= n < args[-1]:
                    pass
                elif op in ("next", "share"):  # what is made has names of this run of the task, or of anyone's
                    spawn(ctx, args[0], args[1], f"{name}.{n}." if op == "next" else "s.")
                elif op == "iterate":
                    ctx.next_iteration(args[0])
                elif op == "terminate":
                    ctx.terminate_workflow(args[0])
                elif op == "cancel":
                    ctx.cancel_workflow(args[0])
                elif op == "fail":
                    raise ValueError(args[0])
                else:
                    raise AssertionError(f"no such step: {op}")
            value = channel.get(returns[1]) if isinstance(returns, tuple) else returns
            return list(value) if isinstance(value, list) else value  # two names for one list are not one meaning

        return play

    def pause(pace: int, *where: Any) -> None:
        """Wait for a moment whose length the pace decides."""
        if pace:
            import time
            import zlib

            time.sleep((0.0, 0.0, 0.0, 0.0005, 0.002, 0.005)[zlib.crc32(repr((pace, where)).encode()) % 6])

    def create(task: tuple[Any, ...], pace: int = 0) -> Any:
        """A graflow_fast task of a plain task; bodies begin and end sooner or later as the pace says."""
        from graflow_fast import task as define
        from graflow_fast.core.retry import RetryPolicy

        name, steps, _returns, max_retries, delay, max_cycles = task
        play = make_player(task)

        def spawn(ctx: Any, target: Any, goto: bool, prefix: str) -> None:
            ctx.next_task(
                ctx.graph.get_node(target) if isinstance(target, str) else attach(target, prefix, pace), goto=goto
            )

        attaches = (
            spawn if any(step[0] in ("next", "share") for step in steps) else None
        )  # else it need not cross, either

        def body(ctx: Any, data: Any = None) -> Any:
            where = name, ctx.cycle_count, ctx.retry_count
            pause(pace, "begin", where)
            try:
                return play(ctx, print, attaches, data)
            finally:
                pause(pace, "end", where)

        options: dict[str, Any] = {"id": name, "inject_context": True}
        if max_retries and delay:
            options["retry_policy"] = RetryPolicy(max_retries=max_retries, initial_interval=delay, backoff_factor=1.0)
        elif max_retries:
            options["max_retries"] = max_retries
        if max_cycles is not None:
            options["max_cycles"] = max_cycles
        return define(**options)(body)

    def attach(part: Fragment, prefix: str, pace: int) -> Any:
        """The tasks of a fragment, built inside a running body."""
        from graflow_fast import chain, parallel

        if part[0] == "task":
            return create((prefix + part[1][0], *part[1][1:]), pace)
        if part[0] == "chain":
            return chain(*[attach(inner, prefix, pace) for inner in part[1]])
        _, label, members, policy = part
        group = parallel(*[attach(inner, prefix, pace) for inner in members]).set_group_name(prefix + label)
        return group.with_execution(policy=as_policy(policy, prefix))

    def as_policy(policy: Policy, prefix: str = "") -> Any:
        """A policy as the engine wants it."""
        from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy, CriticalGroupPolicy

        if isinstance(policy, str):
            return policy
        if policy[0] == "at_least":
            return AtLeastNGroupPolicy(policy[1])
        return CriticalGroupPolicy([prefix + member for member in policy[1]])

    return make_player, create, as_policy


make_player, create, as_policy = language()


def build(program: Program, paced: bool) -> Any:
    """The program as a graflow_fast workflow (not yet run)."""
    from graflow_fast import parallel, workflow
    from graflow_fast.core.task import ParallelGroup

    made: dict[str, Any] = {}
    wf = workflow("program")
    with wf:
        for node in program.nodes:
            if isinstance(node, Task):
                made[node.id] = create(node.plain(), program.pace if paced else 0)
                continue
            members = [made[member] for member in node.members]
            flat = len(members) > 1 and not any(isinstance(member, ParallelGroup) for member in members)
            group = parallel(*members) if flat else ParallelGroup(members)
            made[node.id] = group.set_group_name(node.id).with_execution(policy=as_policy(node.policy))
        for source, target in program.edges:
            made[source] >> made[target]
    return wf


def run(program: Program, placement: str) -> Outcome:
    """Run the program with graflow_fast in one placement and say what a user saw."""
    wf = build(program, paced=placement != "inline")
    limits = {} if program.max_steps is None else {"max_steps": program.max_steps}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings(), eager_threads(bool(program.pace)):
        warnings.simplefilter("ignore")
        try:
            result, ctx = wf.execute(start_node=program.start, ret_context=True, **EXECUTORS[placement], **limits)
        except Exception as error:
            return Outcome(printed=mask(out.getvalue()), error=describe(error), failed=failures(error))
    channel = ctx.get_channel()
    keys = channel.keys()
    pairs = [(mask(key), mask(repr(channel.get(key)))) for key in keys]
    return Outcome(
        result=repr(result),
        channel=tuple(pair for pair in pairs if "+" not in pair[0]),
        sums=() if program.uses("terminate") else tuple(sorted(pair for pair in pairs if "+" in pair[0])),
        completed=tuple(mask(name) for name in ctx.completed_tasks),
        steps=ctx.steps,
        stop_reason=getattr(ctx, "stop_reason", None),
        printed=mask(out.getvalue()),
    )


@contextlib.contextmanager
def eager_threads(eager: bool) -> Iterator[None]:
    """Have threads take turns far more often than they do by default."""
    usual = sys.getswitchinterval()
    if eager:
        sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def describe(error: BaseException) -> tuple[str, str, str]:
    """Type, message and cause of an error, iteration ids masked."""
    cause = error.__cause__
    remote = type(cause).__name__ == "RemoteTraceback"  # only says where in the worker
    because = "" if cause is None or remote else f"{type(cause).__name__}: {mask(str(cause))}"
    return type(error).__name__, mask(str(error)), because


def failures(error: BaseException) -> tuple[tuple[str, str], ...]:
    """Which members failed and why, if the error is a group's."""
    return tuple((mask(name), mask(str(text))) for name, text in getattr(error, "failed_tasks", ()))


def fragment_tasks(part: Fragment) -> Iterator[tuple[Any, ...]]:
    """All plain tasks of a fragment."""
    if part[0] == "task":
        yield part[1]
        return
    for inner in part[1] if part[0] == "chain" else part[2]:
        yield from fragment_tasks(inner)
