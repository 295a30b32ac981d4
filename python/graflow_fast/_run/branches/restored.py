"""What a checkpoint keeps of a group that was under way, and what the resumed run makes of it.

The group begins again. A member that had completed is not run again if all it did is in its writes; the member that
asked for the checkpoint finds what it had written. All others run as if for the first time: their effects would have
counted only from the join on, so nothing counts twice. Knows neither files nor where bodies run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graflow_fast._body.scope import replay
from graflow_fast._run.branches.kept import Members

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._actions import Action
    from graflow_fast._body.scope import LiveStore
    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.branches.branches import Branch, Fork
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.nodes import NodeTable

    class Parts(Protocol):
        """What of a run tells whether a member is all in its writes, and takes these up."""

        scheduler: Scheduler
        nodes: NodeTable
        branches: BranchTable
        live: LiveStore


def members_under_way(run: Parts, fork: Fork, asked: Attempt | None) -> Members:
    """Return what is to be kept of a group; ``asked``: the attempt that asks for the checkpoint, if one does."""
    kept = Members()
    for index, (log, counts) in fork.done().items():
        if _is_all_in_its_writes(run, fork, index):
            kept.ended[index] = (list(log), dict(counts))
    if asked is not None and asked.branch.fork is fork and _is_first(fork, asked):
        kept.begun[asked.branch.index] = list(asked.branch.log())
    for inner in run.branches.forks():
        branch = inner.parent
        if branch.fork is fork and inner.node == fork.nodes[branch.index]:
            kept.groups[branch.index] = members_under_way(run, inner, asked)
    return kept


def restored_members(branches: BranchTable, node: int, parent: Branch) -> Members | None:
    """Return what a checkpoint kept of a group that starts now, None of one that starts for the first time."""
    if parent.fork is None:
        return branches.restored.pop(node, None)
    around = parent.fork.restored
    is_member = parent.fork.nodes[parent.index] == node
    return around.groups.pop(parent.index, None) if around is not None and is_member else None


def begin_again(run: Parts, fork: Fork, kept: Members) -> None:
    """Let members of a group that begins again find what they had written."""
    for index, log in kept.begun.items():
        replay(log, run.branches.branch(fork.first + index).channel, run.live)


def ended_before(run: Parts, action: Action) -> bool:
    """Let a member that had completed before the checkpoint have completed; False when it has to run."""
    _, ticket, node, branch_id, *_ = action
    fork = run.branches.fork_of(branch_id) if branch_id else None
    if fork is None or fork.restored is None or node != fork.nodes[branch_id - fork.first]:
        return False
    found = fork.restored.ended.pop(branch_id - fork.first, None)
    if found is None:
        return False
    log, counts = found
    branch = run.branches.branch(branch_id)
    replay(log, branch.channel, run.live)
    branch.context.cycle_controller.cycle_counts.update(counts)
    run.scheduler.complete(ticket, None, time.monotonic())
    return True


def _is_all_in_its_writes(run: Parts, fork: Fork, index: int) -> bool:
    """Say whether the writes of a member that completed are all that is left of it."""
    node = fork.nodes[index]
    has_more = run.nodes.tasks[node].is_group or run.scheduler.successors(node) or index in fork.additions
    return not has_more and index not in fork.errors


def _is_first(fork: Fork, asked: Attempt) -> bool:
    """Say whether an attempt is of the member itself, not of what came after it in its branch."""
    return asked.node == fork.nodes[asked.branch.index] and not asked.tag and asked.task_id is asked.base_id
