"""Groups of a run: the fork, and the join with replay and policy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from graflow_fast._run.attempts.failures import one_line
from graflow_fast._run.branches.branches import Fork
from graflow_fast._run.branches.restored import begin_again, restored_members
from graflow_fast._run.stop import user_stack_level
from graflow_fast._tracebacks import add_note
from graflow_fast.core.group_policy import resolve_group_policy
from graflow_fast.exceptions import ParallelGroupError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._body.scope import LiveStore
    from graflow_fast._core import Scheduler
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.directives import Requested
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.concurrency import Concurrency
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.forgetting import Forgetting
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.tracing import Tracing
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What a group changes of a run."""

        context: ExecutionContext
        scheduler: Scheduler
        nodes: NodeTable
        branches: BranchTable
        live: LiveStore
        live_output: bool
        places: Places
        bodies: Bodies
        requested: Requested
        failures: Failures
        tracing: Tracing
        concurrency: Concurrency | None
        forgetting: Forgetting | None
        journal: Journal | None
        clock: Callable[[], float]
        last_result: object


#: So many failed members are named under a traceback.
_MOST_NOTES = 10


class Groups:
    """Starts and joins the groups of one run."""

    def __init__(self, run: Parts) -> None:
        self.run = run

    def fork(self, ticket: int, node: int, branch_id: int, first: int, cause: int) -> None:
        """Start a group: from now on its branches may run."""
        run = self.run
        group: Any = run.nodes.tasks[node]
        parent = run.branches.start(branch_id, node, 0, 0)
        context = parent.context
        base_id = run.nodes.names[node]
        counts = context.cycle_controller.cycle_counts
        counts[base_id] = counts.get(base_id, 0) + 1
        members = run.nodes.members[node]
        fork = Fork(ticket, group, parent, first, members, run.nodes, run.live, run.live_output)
        run.tracing.group_started(fork, context)
        fork.node, fork.cause = node, cause
        if run.forgetting is not None and parent.fork is None:
            fork.left = set()
        if run.failures.failed:
            run.failures.forget([node, *run.nodes.members[node]])
        run.branches.add_fork(fork)
        if run.journal is not None:
            run.journal.forked(fork)
        fork.restored = restored_members(run.branches, node, parent)
        run.places.open_fork(fork)
        if fork.restored is not None:
            begin_again(run, fork, fork.restored)

    def join(self, ticket: int, node: int, count: int, first: int, stopped: bool) -> None:
        """Replay what the branches wrote, ask the policy, and tell the scheduler how the group ended."""
        run = self.run
        fork = run.branches.fork(first)
        parent = fork.parent
        run.branches.end_fork(fork)
        run.places.end_fork(fork)
        fork.replay(count)
        decision = None if run.journal is None else run.journal.decision(fork)
        error: Exception | None = None if decision is None or decision[3] is None else _recorded_error(decision)
        if stopped and fork.errors:
            self._warn_unheard(fork)
        # The built-in policies that only look at failures have nothing to say when there are none.
        idle = not fork.errors and fork.group._execution_config["policy"] in ("strict", "best_effort")
        if not stopped and not idle and decision is None:
            try:
                policy = resolve_group_policy(fork.group._execution_config.get("policy", "strict"))
                policy.on_group_finished(fork.group_name, fork.group.tasks, fork.results(), parent.context)
            except Exception as raised:
                error = raised
            run.bodies.ran()  # it may be the user's code
        name = fork.group_name
        run.tracing.group_ended(fork, error)
        parent.channel.set(f"{name}.__result__", error)
        if error is not None:
            if decision is None or run.journal is None:
                delay = run.failures.retry_delay(parent.context, name, error)
            else:
                delay = decision[4]
                if delay is not None:
                    run.journal.repeated(parent.context, name, error, delay)
            if run.journal is not None:
                run.journal.decided(fork, decision, error, delay)
            if run.concurrency is not None and parent.fork is None:
                run.concurrency.failed(parent, node, 0, 0, False)
                run.context.channel.set(f"{name}.__result__", error)
            if delay is None:
                run.failures.note(node, error, name, parent)
                parent.failure = self._error(fork, run.failures.final_error(parent.context, name, error, "group"))
            run.scheduler.fail(ticket, delay, run.clock())
            return
        if run.journal is not None:
            run.journal.decided(fork, decision, None, None)
        if run.concurrency is not None:
            parent.commit()
        if parent.fork is None:
            run.last_result = None
            run.context.mark_task_completed(name)
        checkpoint = run.requested.take_checkpoint(parent)
        run.scheduler.complete(ticket, None, run.clock())
        if run.forgetting is not None and fork.left is not None:
            run.forgetting.group_completed(node, fork.cause, fork.left)
        if checkpoint is not None:
            run.requested.write_checkpoint(checkpoint)

    def _warn_unheard(self, fork: Fork) -> None:
        """Say which members had failed when the workflow was ended well, since no policy will."""
        failed = ", ".join(f"'{fork.members[index]}' ({fork.errors[index]})" for index in sorted(fork.errors))
        warnings.warn(
            f"The workflow was terminated while group '{fork.group_name}' had failed members: {failed}",
            stacklevel=user_stack_level(),
        )

    def _error(self, fork: Fork, error: Exception) -> BaseException:
        """Return what the parent's branch fails with; the first member's error is its cause, exits pass through."""
        for index in sorted(fork.errors):
            if not isinstance(fork.errors[index], Exception):
                return fork.errors[index]
        if fork.errors and error.__cause__ is None:
            error.__cause__ = fork.errors[min(fork.errors)]
        if isinstance(error, ParallelGroupError):
            for index in sorted(fork.errors)[:_MOST_NOTES]:
                add_note(error, f"  member '{fork.members[index]}': {one_line(fork.errors[index])}")
            if len(fork.errors) > _MOST_NOTES:
                add_note(error, f"  and {len(fork.errors) - _MOST_NOTES} more: see failed_tasks")
        return error


def _recorded_error(decision: tuple[Any, ...]) -> Exception:
    """Return what an earlier process of a durable run failed a group with."""
    from graflow_fast._run.journal.entries import load_error

    return load_error(decision[3])
