"""Runs a program with graflow_fast in one placement and says what a user saw. Must not know the model."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from graflow_fast import parallel, workflow
from graflow_fast.core.task import ParallelGroup
from graflow_fast.trace.base import Tracer

from .program import Group, Map, Node, Outcome, Program, Task, mask
from .scripts import as_policy, create, value_of

EXECUTORS: dict[str, dict[str, Any]] = {
    "inline": {"executor": "inline"},
    "thread": {"executor": "thread", "max_workers": 2},
    "process(1)": {"executor": "process", "max_workers": 1},
    "process(2)": {"executor": "process", "max_workers": 2},
    "process(3)": {"executor": "process", "max_workers": 3},
    "auto": {"executor": "auto", "max_workers": 2},
}


class Listening(Tracer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def on_task_start(self, task: Any, context: Any) -> None:
        """An attempt begins."""
        self.told.append(f"start {mask(task.task_id)}")

    def on_task_end(self, task: Any, context: Any, result: Any = None, error: Exception | None = None) -> None:
        """An attempt has ended."""
        self.told.append(f"{'failed' if error else 'end'} {mask(task.task_id)}")

    def on_dynamic_task_added(
        self, task_id: str, parent_task_id: Any = None, is_iteration: bool = False, metadata: Any = None
    ) -> None:
        """A body asked for something."""
        self.told.append(f"added {mask(task_id)} by {mask(parent_task_id)}{' again' if is_iteration else ''}")

    def clone(self, trace_id: str) -> Listening:
        """All branches of a run tell the same one."""
        return self

    def _nothing(self, *_: Any) -> None:
        pass

    _output_trace_start = _output_trace_end = _output_span_start = _output_span_end = _nothing
    _output_event = _output_attach_to_trace = _nothing


def build(program: Program, paced: bool = False, tracer: Tracer | None = None) -> Any:
    """The program as a graflow_fast workflow (not yet run)."""
    made: dict[str, Any] = {}
    shared: dict[Any, Any] = {}
    pace = program.pace if paced else 0
    wf = workflow("program", tracer=tracer)
    with wf:
        for node in program.nodes:
            if isinstance(node, Task):
                made[node.id] = create(node.plain(), pace, shared)
            elif isinstance(node, Map):
                made[node.id] = build_map(node, pace, shared)
            else:
                made[node.id] = build_group(node, [made[member] for member in node.members])
        for source, target in program.edges:
            made[source] >> made[target]
    return wf


def build_map(node: Map, pace: int, shared: dict[Any, Any]) -> Any:
    """A map of a program."""
    task = create(node.task.plain(), pace, shared)
    given = () if node.items is None else (node.items if isinstance(node.items, str) else value_of(node.items),)
    return task.map(*given, task_id=node.id, chunk=node.chunk).with_execution(policy=as_policy(node.policy))


def build_group(node: Group, members: list[Any]) -> Any:
    """A group of a program."""
    flat = len(members) > 1 and not any(isinstance(member, ParallelGroup) for member in members)
    group = parallel(*members) if flat else ParallelGroup(members)
    return group.set_group_name(node.id).with_execution(policy=as_policy(node.policy))


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        self.texts.append(record.getMessage())


def run(program: Program, placement: str, more: dict[str, Any] | None = None) -> Outcome:
    """Run the program with graflow_fast in one placement, with more options, and say what a user saw."""
    tracer = Listening() if program.traced else None
    if placement in ("inline", "thread"):
        program = without_limits(program)
    wf = build(program, placement != "inline", tracer)
    options = {**EXECUTORS[placement], **dict(program.options), **(more or {})}
    if program.max_steps is not None:
        options["max_steps"] = program.max_steps
    said: dict[str, Any] = {}
    context = error = result = None
    with everything_said(program, said), eager_threads(bool(program.pace)):
        try:
            result, context = wf.execute(start_node=program.start, ret_context=True, **options)
        except Exception as raised:
            error = raised
    said["traced"] = tuple(tracer.told) if tracer else ()
    if error is not None:
        return Outcome(error=describe(error), failed=failures(error), **said)
    channel = context.get_channel()
    pairs = [(mask(key), mask(repr(channel.get(key)))) for key in channel.keys()]  # noqa: SIM118 - no mapping
    return Outcome(
        result=mask(repr(result)),
        channel=tuple(pair for pair in pairs if "+" not in pair[0]),
        sums=() if program.uses("terminate") else tuple(sorted(pair for pair in pairs if "+" in pair[0])),
        completed=tuple(mask(name) for name in context.completed_tasks),
        steps=context.steps,
        stop_reason=getattr(context, "stop_reason", None),
        **said,
    )


def without_limits(program: Program) -> Program:
    """The program without the limits that would be refused where no body can be stopped."""
    limits = ("timeout", "memory_limit")

    def unlimited(task: Task) -> Task:
        return replace(task, options=tuple(option for option in task.options if option[0] not in limits))

    nodes: list[Node] = []
    for node in program.nodes:
        if isinstance(node, Map):
            node = replace(node, task=unlimited(node.task))
        nodes.append(unlimited(node) if isinstance(node, Task) else node)
    options = tuple(option for option in program.options if option[0] not in limits)
    return replace(program, nodes=tuple(nodes), options=options)


@contextlib.contextmanager
def everything_said(program: Program, said: dict[str, Any]) -> Iterator[None]:
    """Put what is printed, logged and warned meanwhile into `said`."""
    heard, logger = Heard(), logging.getLogger("meaning")
    logger.addHandler(heard)
    logger.propagate = False
    printed: list[str] = []
    catch = descriptor_output if "'write'" in repr(program) or "'shell'" in repr(program) else text_output
    try:
        with warnings.catch_warnings(record=True) as caught, catch(printed):
            warnings.simplefilter("always")
            yield
    finally:
        logger.removeHandler(heard)
    said["printed"] = mask("".join(printed))
    said["logged"] = tuple(map(mask, heard.texts))
    said["warned"] = tuple(mask(str(each.message)) for each in caught if each.category is FutureWarning)


@contextlib.contextmanager
def text_output(printed: list[str]) -> Iterator[None]:
    """Catch what goes to `sys.stdout`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        yield
    printed.append(out.getvalue())


@contextlib.contextmanager
def descriptor_output(printed: list[str]) -> Iterator[None]:
    """Catch what goes to `sys.stdout` and to the descriptor below it, in the order in which it arrives."""
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        usual = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with (
                io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True) as out,
                contextlib.redirect_stdout(out),
            ):
                yield
        finally:
            os.dup2(usual, 1)
            os.close(usual)
        file.seek(0)
        printed.append(file.read().decode())


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
