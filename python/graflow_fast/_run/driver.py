"""The driver of one run: it asks the scheduler what to do next, has that done where it belongs, and waits.

Owns the loop and the parts of a run. It decides nothing about what may run (the scheduler does), how bodies are called
(`bodies`, `threads`, `processes`), nor what becomes of them (`outcomes`).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from graflow_fast._core import Scheduler, give_back_memory
from graflow_fast._hints import with_hint
from graflow_fast._run import explain
from graflow_fast._run.actions import (
    ABANDON,
    BRANCH_ENDED,
    BRANCH_FAILED,
    BRANCH_STOPPED,
    FINISHED,
    FORK,
    JOIN,
    OVERRUN,
    RUN,
    Action,
)
from graflow_fast._run.attempts import Attempts
from graflow_fast._run.bodies import Bodies
from graflow_fast._run.branches import Branch, BranchTable, RootBranch
from graflow_fast._run.concurrency import Concurrency
from graflow_fast._run.directives import Requested
from graflow_fast._run.failures import Failures
from graflow_fast._run.forgetting import Forgetting
from graflow_fast._run.groups import Groups
from graflow_fast._run.inline import InlineSteps
from graflow_fast._run.nodes import NodeTable
from graflow_fast._run.outcomes import Outcomes
from graflow_fast._run.packing import unpacked
from graflow_fast._run.placement import INLINE, PROCESS, THREAD, Placement
from graflow_fast._run.scope import LiveStore
from graflow_fast._run.stop import finish
from graflow_fast._run.tracing import Tracing
from graflow_fast.core import registry
from graflow_fast.exceptions import GraflowRuntimeError, StepLimitExceededError

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext

EXECUTION_LIMIT = 10_000

#: The scheduler's lane of all tasks of the workflow's own branch, where several may run at once.
ROOT_LANE = (1 << 32) - 1

#: After so many tasks added at run time, pages between what they left are given back to the system.
_MANY_ADDED = 100_000

#: Seconds that members declared before one that cancels may take to end, since in order they would have run first.
CANCEL_GRACE = 0.5


class Run:
    """One execution of a context's graph."""

    def __init__(self, context: ExecutionContext, handlers: dict[str, Any]) -> None:
        settings = context.settings
        self.context = context
        self.settings = settings
        self.scheduler: Scheduler = Scheduler(
            parallel=settings.schedule == "parallel",
            max_steps=None if context.max_steps is None else max(0, context.max_steps - context.steps),
            execution_limit=EXECUTION_LIMIT,
            cancel_grace=CANCEL_GRACE,
        )
        self.root = RootBranch(context)
        self.nodes: NodeTable = NodeTable(self.scheduler, context.graph, self.root)
        self.branches = BranchTable(self.root)
        self.live: LiveStore = LiveStore(context.channel)
        self.placement: Placement = Placement(settings, handlers)
        self.handlers = handlers
        self.failures = Failures()
        self.attempts = Attempts(self)
        self.bodies = Bodies(self)
        self.outcomes = Outcomes(self)
        self.last_result: Any = None
        #: Whether it has ended, however.
        self.closed = False
        self.group_count = 0
        self.live_output: bool = settings.output == "live"
        self.silent: bool = bool(getattr(context.tracer, "silent", False))
        #: The workflow that is current where the run was started.
        self.workflow_around = registry.current_workflow.get()
        self.tracing = Tracing(self)
        self.requested = Requested(self)
        self._groups = Groups(self)
        #: Steps counted before this run, or by hand during it.
        self.steps_before: int = context.steps
        self.threads: Any = None
        self.processes: Any = None
        self._maps: Any = None
        self.parallel: bool = settings.schedule == "parallel"
        #: What concurrent tasks see of each other, None in a sequential run.
        self.concurrency: Concurrency | None = None
        if self.parallel:
            self.concurrency = Concurrency(self.root, self.live, self.live_output)
            workers = settings.resolved_workers()
            self.scheduler.set_lane_limit(ROOT_LANE, min(workers, settings.max_concurrency or workers))
        record = getattr(context.tracer, "_record", None)
        #: Notes for the tracer that a step ran, None when nobody wants to know.
        self.note_task = record.note if self.silent and record is not None else None
        keep = settings.keep_results
        #: What drops results and tasks that nobody needs any more, None when all are kept.
        self.forgetting = None if keep == "all" else Forgetting(self, keep)
        #: What runs plain steps of the workflow's own branch, here or in the pool.
        self._short_ways: list[Any] = [] if self.parallel or self.forgetting is not None else [InlineSteps(self)]

    # --- the loop

    def execute(self) -> Any:
        """Run to the end; return the last task's result or raise what ended the run."""
        for _ in self.steps():
            pass
        return unpacked(self.last_result)

    def steps(self) -> Generator[None, None, None]:
        """Run to the end, handing control back whenever there is news to wait for."""
        context = self.context
        context._run = self
        context.stop_reason = None
        context._ending_forgotten = False
        context._run_steps = lambda: self.steps_before + self.scheduler.steps
        self.placement.check([*self.nodes.definitions.values(), *self.nodes.others])
        workflow = context._workflow
        self.group_count = workflow._group_counter if workflow is not None else len(self.nodes.members)
        last_before = context.graph.last_name()
        self._start()
        try:
            action = self.scheduler.next(time.monotonic())
            while True:
                while action is not None:
                    action = self._carry_out(action)
                if self.scheduler.finished():
                    break
                self._wait()
                yield
                action = self.next()
        except BaseException as error:
            self._close(interrupted=not isinstance(error, Exception))
            raise
        else:
            self._close()
        finally:
            context.graph.note_made_since(last_before)
            context._steps = self.steps_before + self.scheduler.steps
            context._run_steps = None

    def _start(self) -> None:
        context = self.context
        now = time.monotonic()
        names = list(context.pending)
        context.pending.clear()
        if context.resume_state is not None:
            from graflow_fast._run.resume import resume

            resume(self, names, now)
            return
        starts = []
        for name in names:
            node = self.nodes.resolve(name)
            if node is None:
                available = ", ".join(self.nodes.names[:5])
                error = GraflowRuntimeError(f"Node '{name}' not found in graph. Available nodes: {available}...")
                raise with_hint(error, name, self.nodes.names)
            starts.append(node)
        self.tracing.told = len(starts)
        self.scheduler.start(starts, now)

    def next(self) -> Any:
        """Return the scheduler's next action, None when something must be waited for first."""
        if not self.silent:
            self.tracing.queued()
        if self._maps is not None and self._maps.active and self._maps.blocks():
            return None
        if self.processes is not None:
            return self.processes.next(time.monotonic())
        return self.scheduler.next(time.monotonic())

    def _carry_out(self, action: Action) -> Any:
        """Do one action; return the next one."""
        kind, ticket, node, branch_id, number, tag, cause = action
        if kind == RUN:
            if branch_id == 0:
                for short_way in self._short_ways:
                    following = short_way.go_on(action)
                    if following is not action:
                        return following
            return self._run_task(action)
        if kind == FORK:
            self._groups.fork(ticket, node, branch_id, tag, cause)
        elif kind == BRANCH_ENDED:
            fork = self.branches.fork_of(branch_id)
            fork.end_fed()
            if tag == BRANCH_STOPPED:
                fork.stop_after(number)
            fork.end_branch(self.branches.take_branch(branch_id), number, tag != BRANCH_FAILED)
        elif kind == JOIN:
            self._groups.join(ticket, node, number, tag, bool(cause))
        elif kind == ABANDON:
            self._abandon(ticket)
        elif kind == FINISHED:
            finish(self, node, number, branch_id)
            return None
        elif kind == OVERRUN:
            branch = self.branches.branch(branch_id)
            branch.failure = StepLimitExceededError(self.nodes.names[node], EXECUTION_LIMIT + 1, EXECUTION_LIMIT)
            self.failures.note(node, branch.failure)
        return self.next()

    def _wait(self) -> None:
        """Wait until a body reports or a deadline passes."""
        deadline = self.scheduler.deadline()
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        if self._maps is not None and self._maps.active:
            timeout = self._maps.pump(timeout)
            if timeout == 0.0 and not self._busy_elsewhere():
                return
        if self.processes is not None and self.processes.busy():
            if self.threads is not None and self.threads.busy():
                timeout = 0.005 if timeout is None else min(timeout, 0.005)
                self.threads.collect(0.0)
            self.processes.collect(timeout)
        elif self.threads is not None and self.threads.busy():
            self.threads.collect(timeout)
        elif timeout is not None:
            time.sleep(timeout)
        elif self.processes is None or self.processes.has_room():
            raise GraflowRuntimeError(
                "Internal error: nothing is running and nothing may start, but the run is not finished. "
                f"In flight: {self.scheduler.in_flight()}; waiting: {self.scheduler.pending_work()}"
            )

    def _busy_elsewhere(self) -> bool:
        processes, threads = self.processes, self.threads
        return (processes is not None and processes.busy()) or (threads is not None and threads.busy())

    def branch_for(self, branch_id: int, node: int, tag: int, number: int) -> Branch:
        """Return the branch that an activation of a node runs in."""
        if branch_id:
            return self.branches.branch(branch_id)
        return self.root if self.concurrency is None else self.concurrency.start(node, tag, number)

    def _run_task(self, action: Action) -> Any:
        """Have a body run where it belongs; return the next action."""
        attempt = self.attempts.of_action(action)
        task = attempt.task
        if task.is_map:
            self.map_side().start(attempt)
            return self.next()
        place = self.placement.of(task, attempt.branch, self.parallel)
        if place == INLINE:
            self.bodies.run_inline(attempt)
            return self.next()
        if place == PROCESS and self.processes is None and self.process_side().steps is not None:
            return self._carry_out(action)  # there is a short way now
        self.attempts.prepare(attempt)
        self.attempts.running[attempt.ticket] = attempt
        if place == PROCESS:
            self.process_side().submit(attempt)
        elif place == THREAD:
            self.thread_side().submit(self, attempt)
        return self.next()

    def _abandon(self, ticket: int) -> None:
        attempt = self.attempts.take(ticket)
        if attempt is None:
            return
        self.failures.given_up.add(attempt.node)
        if attempt.task.is_map:
            self._maps.abandon(attempt)
        elif not (self.threads is not None and self.threads.give_up(ticket)) and self.processes is not None:
            self.processes.losses.abandon(attempt)
        self.tracing.ended(attempt, None)

    # --- the end

    def _close(self, interrupted: bool = False) -> None:
        self.closed = True
        try:
            for short_way in self._short_ways:
                short_way.close()
            if self._maps is not None:
                self._maps.close()
            if self.threads is not None:
                self.threads.close()
        finally:  # whatever happens there, processes are not left behind
            if self.processes is not None:
                self.processes.close(interrupted)
        if len(self.nodes.names) - self.nodes.given >= _MANY_ADDED:
            give_back_memory()

    def explain(self, task_id: str, context: ExecutionContext) -> str:
        """Say in one sentence why a task ran, waits or was skipped; ``context`` is that of the branch that asks."""
        return explain.sentence(self, task_id, self.branches.branch_of(context))

    # --- who runs bodies, made when they are needed

    def map_side(self) -> Any:
        """Return what runs this run's maps."""
        if self._maps is None:
            from graflow_fast._run.maps.maps import Maps

            self._maps = Maps(self)
        return self._maps

    def process_side(self) -> Any:
        """Return what runs bodies in worker processes."""
        if self.processes is None:
            from graflow_fast._pool.signals import postponed_signals
            from graflow_fast._run.processes import Processes

            with postponed_signals():
                self.processes = Processes(self)
            if self.processes.steps is not None:
                self._short_ways.insert(0, self.processes.steps)
        return self.processes

    def thread_side(self) -> Any:
        """Return what runs bodies in threads."""
        if self.threads is None:
            from graflow_fast._run.threads import Threads

            self.threads = Threads(self.settings.resolved_workers(), self.live_output)
        return self.threads
