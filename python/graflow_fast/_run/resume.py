"""The unfinished work of a run, by names, so that another run can go on with it: what checkpoints save and restore.

What waits is saved as it is. What is under way begins again: a task from its start, a group with all of its members,
for what they wrote counts only from the join on. Two things are kept of it: what the task that asks for a checkpoint
has written so far, and the writes of members that have completed and would write the same without being run again
(see `_run.branches.restored`). Knows nothing of files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING
from graflow_fast._run.branches.kept import Members
from graflow_fast._run.branches.restored import members_under_way
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._body.scope import LiveStore, Operation
    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.tags import Tags
    from graflow_fast._run.branches.branches import Fork
    from graflow_fast._run.branches.concurrency import Concurrency
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

    class Parts(Protocol):
        """What of a run is unfinished, or takes up what was."""

        context: ExecutionContext
        scheduler: Scheduler
        nodes: NodeTable
        branches: BranchTable
        attempts: Attempts
        tags: Tags
        live: LiveStore
        concurrency: Concurrency | None


#: What is saved of one piece of work: its name; of an iteration, its id and data; the name of the task before; the
#: task, if it is not the one that has the name; what an attempt of it wrote; and, of a group, what is kept of it.
Work = tuple[
    str, "tuple[str, Any] | None", "str | None", "Executable | None", "list[Operation] | None", "Members | None"
]

_PLAIN_CAUSES = ("successor", "next_task", "goto")


def snapshot(
    context: ExecutionContext, resuming_task_id: str | None, asking: ExecutionContext | None
) -> tuple[list[str], dict[str, Any] | None]:
    """Return the names that are unfinished in a context, and what more is known of them while it runs.

    The second part has ``queue``: the work, as in `Work`; ``marks``: the half-filled joins as (source, target, flags);
    ``executions``: (name, count).

    Args:
        context: the run's own.
        resuming_task_id: the task that asks; or, where none is running, what to start with.
        asking: the context in which that task runs, if it does.
    """
    run: Parts | None = context._run
    if run is None or run.scheduler.finished():
        waiting = list(context.pending)
        if resuming_task_id is not None:
            waiting.insert(0, resuming_task_id)
        return waiting, None
    names = run.nodes.names
    queue = _under_way(run, resuming_task_id, asking)
    if resuming_task_id is not None and asking is None and all(work[0] != resuming_task_id for work in queue):
        queue.insert(0, (resuming_task_id, None, None, None, None, None))
    for node, tag, cause in run.scheduler.pending_work():
        given = run.tags.task_of(tag) or _nameless(run, node)
        prior = None if run.concurrency is None else run.concurrency.prior_of(node, tag)
        queue.append((names[node], run.tags.iteration(tag), _name(run, cause), given, prior, None))
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
    waiting = [name if iteration is None else iteration[0] for name, iteration, *_ in queue]
    return waiting, {"queue": queue, "marks": marks, "executions": executions}


def resume(run: Parts, names: list[str], now: float) -> None:
    """Start a run's scheduler where a snapshot was taken."""
    state = run.context.resume_state
    assert state is not None
    run.context.resume_state = None
    queue = []
    for name, iteration, cause, given, prior, members in state["queue"]:
        before = -1 if cause is None else _known(run, cause)
        node, task = (_known(run, name), None) if given is None else run.nodes.attach(given, run.branches.root)
        tag = run.tags.restored_tag(iteration, before, task)
        queue.append((node, tag, before))
        if prior is not None and run.concurrency is not None:
            run.concurrency.give_prior(node, tag, prior)
        if members is not None:
            run.branches.restored[node] = members
    index = {edge: position for position, edge in enumerate(run.scheduler.edges())}
    marks = [
        (index[_known(run, source), _known(run, target)], flags)
        for source, target, flags in state["marks"]
        if (_known(run, source), _known(run, target)) in index
    ]
    executions = [(_known(run, name), count) for name, count in state["executions"]]
    run.scheduler.resume(queue, marks, executions, now)


def start_with(context: ExecutionContext, task_id: str) -> None:
    """Let a restored run begin with a task: the unfinished work of that name if there is any, else the task anew."""
    state = context.resume_state
    assert state is not None
    queue: list[Work] = state["queue"]
    unfinished = [work for work in queue if task_id in (work[0], work[1] and work[1][0])]
    first: Work = unfinished[0] if unfinished else (task_id, None, None, None, None, None)
    state["queue"] = [first, *(work for work in queue if work is not first)]


# --- what is under way


def _under_way(run: Parts, asking_id: str | None, asking: ExecutionContext | None) -> list[Work]:
    """Return what has started in the workflow's own branch and has not ended, in the order of the starts."""
    started: dict[int, Work] = {}
    asked: Attempt | None = None
    for attempt in run.attempts.under_way():  # a map begins again as a whole
        asks = attempt.task_id == asking_id and attempt.branch.context is asking
        if asks:
            asked = attempt
        if attempt.branch.fork is None:
            started[attempt.ticket] = _work_of(run, attempt, asks)
    for fork in run.branches.forks():
        if fork.parent.fork is None:
            started[fork.ticket] = _group(run, fork, asked)
    found = [started[ticket] for ticket in sorted(started)]
    step = _plain_step(run)
    if step is not None and all(work[0] != step[0] for work in found):
        found.append(step)
    return found


def _work_of(run: Parts, attempt: Attempt, asks: bool) -> Work:
    given = run.tags.task_of(attempt.tag) or _nameless(run, attempt.node)
    iteration = None
    if attempt.task_id is not attempt.base_id:
        iteration = (attempt.task_id, None if attempt.call is NOTHING else attempt.call)
    written = list(attempt.branch.log()) if asks and run.concurrency is not None else None
    return attempt.base_id, iteration, _name(run, attempt.cause), given, written, None


def _group(run: Parts, fork: Fork, asked: Attempt | None) -> Work:
    kept = members_under_way(run, fork, asked)
    return run.nodes.names[fork.node], None, _name(run, fork.cause), _nameless(run, fork.node), None, kept


def _plain_step(run: Parts) -> Work | None:
    """Return the step that is running the short way, which nobody made an attempt of."""
    running = run.context.current_task_context
    node = None if running is None else run.nodes.ids.get(running.task_id)
    if running is None or node is None or run.scheduler.standing(node) != "running":
        return None
    reason, related = run.scheduler.explain(node)
    before = related[0] if reason in _PLAIN_CAUSES and len(related) == 1 else -1
    return running.task_id, None, _name(run, before), None, None, None


# --- names


def _name(run: Parts, cause: int) -> str | None:
    return None if cause < 0 else run.nodes.names[cause]


def _marks(run: Parts) -> list[tuple[int, int, int]]:
    edges = run.scheduler.edges()
    return [(*edges[edge], flags) for edge, flags in run.scheduler.edge_marks()]


def _nameless(run: Parts, node: int) -> Executable | None:
    """Return the task of a node whose name stands for another node, None for all others."""
    return None if run.nodes.ids.get(run.nodes.names[node]) == node else run.nodes.tasks[node]


def _known(run: Parts, name: str) -> int:
    node = run.nodes.resolve(name)
    if node is None:
        raise GraflowRuntimeError(f"The checkpoint names task '{name}', which its graph does not have")
    return node
