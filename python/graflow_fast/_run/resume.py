"""The waiting work of a run, by names, so that another run can go on with it: what checkpoints save and restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._run.driver import Run
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable


def snapshot(context: ExecutionContext, resuming_task_id: str | None) -> tuple[list[str], dict[str, Any] | None]:
    """Return the names that wait in a context, and what more is known of them while it runs.

    The second part has ``queue``: (name, iteration (id, data) or None, name of the task before or None, the task if it
    is not the one that has the name); ``marks``: the half-filled joins as (source, target, flags); ``executions``:
    (name, count).
    """
    run: Run | None = context._run
    if run is None or run.scheduler.finished():
        waiting = list(context.pending)
        if resuming_task_id is not None:
            waiting.insert(0, resuming_task_id)
        return waiting, None
    names = run.nodes.names
    queue = []
    if resuming_task_id is not None:
        queue.append(_resuming(run, resuming_task_id))
    for node, tag, cause in run.scheduler.pending_work():
        iteration = run.requested.iteration(tag)
        given = run.requested.task_of(tag) or _nameless(run, node)
        queue.append((names[node], iteration, None if cause < 0 else names[cause], given))
    marks = [
        (names[source], names[target], flags)
        for source, target, flags in _marks(run)
        if _nameless(run, source) is None and _nameless(run, target) is None
    ]
    executions = [
        (name, count)
        for node, name in enumerate(names)
        if _nameless(run, node) is None and (count := run.scheduler.executions(node))
    ]
    waiting = [name if iteration is None else iteration[0] for name, iteration, _, _ in queue]
    return waiting, {"queue": queue, "marks": marks, "executions": executions}


def resume(run: Run, names: list[str], now: float) -> None:
    """Start a run's scheduler where a snapshot was taken."""
    state = run.context.resume_state
    assert state is not None
    run.context.resume_state = None
    queue = []
    for name, iteration, cause, given in state["queue"]:
        before = -1 if cause is None else _known(run, cause)
        node, task = (_known(run, name), None) if given is None else run.nodes.attach(given, run.root)
        queue.append((node, run.requested.restored_tag(iteration, before, task), before))
    index = {edge: position for position, edge in enumerate(run.scheduler.edges())}
    marks = [
        (index[_known(run, source), _known(run, target)], flags)
        for source, target, flags in state["marks"]
        if (_known(run, source), _known(run, target)) in index
    ]
    executions = [(_known(run, name), count) for name, count in state["executions"]]
    run.scheduler.resume(queue, marks, executions, now)


def _marks(run: Run) -> list[tuple[int, int, int]]:
    edges = run.scheduler.edges()
    return [(*edges[edge], flags) for edge, flags in run.scheduler.edge_marks()]


def _nameless(run: Run, node: int) -> Executable | None:
    """Return the task of a node whose name stands for another node, None for all others."""
    return None if run.nodes.ids.get(run.nodes.names[node]) == node else run.nodes.tasks[node]


def _resuming(run: Run, task_id: str) -> tuple[str, Any, str | None, Executable | None]:
    attempt = run.attempts.named(task_id)
    if attempt is None:
        return task_id, None, None, None
    cause = None if attempt.cause < 0 else run.nodes.names[attempt.cause]
    given = run.requested.task_of(attempt.tag) or _nameless(run, attempt.node)
    if attempt.task_id is attempt.base_id:
        return attempt.base_id, None, cause, given
    data = None if attempt.call is NOTHING else attempt.call
    return attempt.base_id, (attempt.task_id, data), cause, given


def _known(run: Run, name: str) -> int:
    node = run.nodes.resolve(name)
    if node is None:
        raise GraflowRuntimeError(f"The checkpoint names task '{name}', which its graph does not have")
    return node
