"""Sentences from the scheduler's story: why a task ran, runs, waits, was skipped, failed or was never reached.

Owns the words. The story is the scheduler's, how an attempt failed is the driver's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._hints import did_you_mean
from graflow_fast.core.task_context import base_task_id

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run tells its story."""

        context: ExecutionContext
        scheduler: Scheduler
        nodes: NodeTable
        failures: Failures
        closed: bool


#: Why a task was to run, after "because".
_BECAUSE = {
    "root": "the workflow starts there",
    "successor": "{others} completed",
    "join": "all of its predecessors that could run had completed: {others}",
    "next_task": "{others} asked for it with next_task()",
    "goto": "{others} jumped to it with next_task(goto=True)",
    "iteration": "it had asked for another iteration with next_iteration()",
    "retry": "an attempt of it had failed",
    "member": "it is a member of group {others}",
    "resumed": "the checkpoint had it waiting for its turn",
}
#: Why it was not.
_SKIPPED = {
    "skipped_by_goto": "was skipped because {others} jumped elsewhere",
    "skipped_no_predecessor": "was skipped because all of its predecessors were skipped: {others}",
}
#: What ended the run, by stop reason.
_ENDED = {
    "completed": "ended",
    "terminated": "was terminated",
    "canceled": "was cancelled",
    "failed": "failed",
    "max_steps": "stopped at max_steps",
    "feedback_timeout": "ended to wait for an answer",
}


def sentence(run: Parts, task_id: str, branch: Branch) -> str:
    """Return the sentence for a task of a run, by the name that a branch knows it under."""
    node = _node(run, task_id, branch)
    if node is None:
        node = _node(run, base_task_id(task_id), branch)  # an iteration
    if node is None:
        hint = did_you_mean(task_id, run.nodes.names)
        return f"There is no task '{task_id}' in this workflow. {hint}".rstrip()
    kind = "Group" if run.nodes.tasks[node].is_group else "Task"
    return f"{kind} '{task_id}' {_predicate(run, node)}{_cached(run, task_id)}."


def _cached(run: Parts, task_id: str) -> str:
    """Say where the result of a task with ``cache=True`` came from; nothing of others."""
    from graflow_fast._body import origins

    origin = origins.of(run.context.trace_id, task_id)
    if origin is None:
        return ""
    from graflow_fast._cache.why import sentence as why

    return f"; {why(origin)}"


def _node(run: Parts, name: str, branch: Branch) -> int | None:
    nodes = run.nodes
    found = nodes.find(name, branch)
    if found is None:
        found = nodes.resolve(name)
    if found is None and name in nodes.names:  # a task of another branch, or of one that failed
        found = nodes.names.index(name)
    return found


def _predicate(run: Parts, node: int) -> str:
    """Return what is to be said of a node, without its name."""
    if given_up := _given_up_by(run, node):
        return given_up
    reason, related = run.scheduler.explain(node)
    others = _names(run, reason, related)
    if reason in _SKIPPED:
        if reason == "skipped_by_goto" and any(run.nodes.tasks[other].is_group for other in related):
            others = f"a member of group {others}"
        return _SKIPPED[reason].format(others=others)
    if reason == "waits_for":
        ended = _ended(run)
        if not ended:
            return f"waits for {others}"
        return _stopped_by(run, related) or f"did not run: the workflow {ended} before {others} had completed"
    if reason == "never_reached":
        return _never_reached(run, node)
    if reason == "abandoned":
        return _abandoned(run, node)
    again = " again" if reason in ("iteration", "retry") else ""
    return _reached(run, node, f"{again} because {_BECAUSE[reason].format(others=others)}")


def _reached(run: Parts, node: int, because: str) -> str:
    """Say what became of a node that was to run."""
    standing = run.scheduler.standing(node)
    ended = _ended(run)
    if standing in ("queued", "delayed") and ended:
        return f"was to run{because}, but the workflow {ended} first"
    if standing == "queued":
        return f"waits for its turn to run{because}"
    if standing == "delayed":
        return f"waits before it runs{because}"
    if standing == "running":
        return f"was running{because}, when the workflow {ended}" if ended else f"is running{because}"
    return f"ran{because}{_outcome(run, node)}"


def _outcome(run: Parts, node: int) -> str:
    """Say how a node ended that did not simply complete."""
    failures = run.failures
    if failed := failures.last_of(node, run.nodes.names[node]):
        return f", and failed with {failed.rstrip('.')}"
    if node in failures.cancelled:
        return f", and cancelled the workflow: {failures.cancelled[node]}"
    if node in failures.terminated:
        return f", and terminated the workflow: {failures.terminated[node]}"
    return ""


def _never_reached(run: Parts, node: int) -> str:
    group = next((group for group, members in run.nodes.members.items() if node in members), None)
    ended = _ended(run)
    if group is not None:
        name = run.nodes.names[group]
        if run.scheduler.standing(group) == "running" and not ended:
            return f"waits for its turn as a member of group '{name}', which is running"
        return f"did not run: it is a member of group '{name}', which {_predicate(run, group)}"
    if ended and run.nodes.tasks[node].is_template:
        return "did not run: it is the definition that others were made of"
    if ended:
        before = [run.nodes.resolve(name) for name in run.context.graph.predecessors(run.nodes.names[node])]
        stopped = _stopped_by(run, [other for other in before if other is not None])
        return stopped or "did not run: nothing that ran leads to it"
    return "has not run: nothing that has run so far leads to it"


def _stopped_by(run: Parts, before: list[int]) -> str:
    """Say which of the nodes before one ended badly, or ended all; empty when none did."""
    failures = run.failures
    for node in before:
        name = run.nodes.names[node]
        if node in failures.cancelled:
            return f"did not run because '{name}' cancelled the workflow"
        if node in failures.terminated:
            return f"did not run because '{name}' terminated the workflow"
        if failures.last_of(node, name):
            return f"did not run because '{name}' failed"
    return ""


def _given_up_by(run: Parts, node: int) -> str:
    """Of a node in a branch declared after one that ended the workflow: whether it had begun is a matter of timing."""
    failures = run.failures
    enders = {**dict.fromkeys(failures.terminated, "terminated"), **dict.fromkeys(failures.cancelled, "cancelled")}
    if not enders or not run.closed:
        return ""
    place = dict(_place(run, node))
    for ender, how in enders.items():
        for group, index in _place(run, ender):
            if place.get(group, -1) > index:
                names = run.nodes.names
                before = f"'{names[ender]}', which comes before it in group '{names[group]}'"
                return f"was given up: {before}, {how} the workflow"
    return ""


def _place(run: Parts, node: int) -> list[tuple[int, int]]:
    """Return the groups around a node, and which branch of each it is in."""
    place: list[tuple[int, int]] = []
    seen: set[int] = set()
    found: int | None = node
    while found is not None and found not in seen:
        seen.add(found)
        group = next((group for group, members in run.nodes.members.items() if found in members), None)
        if group is not None:
            place.append((group, list(run.nodes.members[group]).index(found)))
            found = group
        else:
            before = run.context.graph.predecessors(run.nodes.names[found])
            found = run.nodes.resolve(before[0]) if before else None
    return place


def _abandoned(run: Parts, node: int) -> str:
    """Of a node in a branch that was given up, or that was running when everything around it stopped."""
    ended = _ended(run) or "is being stopped"
    if outcome := _outcome(run, node):  # it ended, and the workflow with it
        return f"ran{outcome}"
    if node in run.failures.given_up:
        return f"was stopped while it was running, because the workflow {ended}"
    return f"did not run: the workflow {ended} before its turn came"


def _ended(run: Parts) -> str:
    """Say how the run ended; empty while it goes on."""
    return _ENDED.get(run.context.stop_reason or "", "was interrupted") if run.closed else ""


def _names(run: Parts, reason: str, related: list[int]) -> str:
    names = [run.nodes.names[node] for node in related]
    if reason == "join":
        names = [name for name in names if name in run.context._completed] or names
    return ", ".join(f"'{name}'" for name in names) or "nothing"
