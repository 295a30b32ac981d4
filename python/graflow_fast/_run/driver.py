"""The driver of one run: it asks the scheduler what to do next, has bodies run where they belong, and reports back.

Owns the order in which effects are applied. It decides nothing about what may run (the scheduler does), nor how
workers are talked to (`processes` does).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from graflow_fast._core import Scheduler
from graflow_fast._hints import with_hint
from graflow_fast._run import explain
from graflow_fast._run.actions import (
    ABANDON,
    BRANCH_ENDED,
    BRANCH_FAILED,
    BRANCH_STOPPED,
    CANCEL,
    FINISHED,
    FORK,
    JOIN,
    OVERRUN,
    RUN,
)
from graflow_fast._run.arguments import NOTHING, fill_arguments
from graflow_fast._run.attempt import Attempt
from graflow_fast._run.branches import Branch, BranchTable, RootBranch
from graflow_fast._run.concurrency import Concurrency
from graflow_fast._run.directives import Requested
from graflow_fast._run.failures import Failures
from graflow_fast._run.forgetting import Forgetting
from graflow_fast._run.groups import Groups
from graflow_fast._run.inline import InlineSteps
from graflow_fast._run.nodes import NodeTable
from graflow_fast._run.output import CapturedThreads, capture
from graflow_fast._run.packing import unpacked
from graflow_fast._run.placement import INLINE, PROCESS, THREAD, Placement
from graflow_fast._run.scope import LiveStore
from graflow_fast._run.stop import finish
from graflow_fast._run.tracing import Tracing
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.exceptions import (
    GraflowError,
    GraflowRuntimeError,
    StepLimitExceededError,
)

if TYPE_CHECKING:
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext

EXECUTION_LIMIT = 10_000

#: The scheduler's lane of all tasks of the workflow's own branch, where several may run at once.
ROOT_LANE = (1 << 32) - 1

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
        self.nodes: NodeTable = NodeTable(self.scheduler, context.graph)
        self.root = RootBranch(context)
        self.branches = BranchTable(self.root)
        self.live: LiveStore = LiveStore(context.channel)
        self.placement: Placement = Placement(settings, handlers)
        self.handlers = handlers
        self.failures = Failures()
        self.running: dict[int, Attempt] = {}
        #: How often bodies have run in this process: what they changed, later ones in the pool must capture.
        self.bodies_here = 0
        self.last_result: Any = None
        #: Whether it has ended, however.
        self.closed = False
        self.group_count = 0
        self.live_output: bool = settings.output == "live"
        self.silent: bool = bool(getattr(context.tracer, "silent", False))
        #: The attempt whose body runs in the driver's thread.
        self._inline: Attempt | None = None
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
                action = self._next()
        except BaseException as error:
            self._close(interrupted=not isinstance(error, Exception))
            raise
        else:
            self._close()
        finally:
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

    def _next(self) -> Any:
        if not self.silent:
            self.tracing.queued()
        if self._maps is not None and self._maps.active and self._maps.blocks():
            return None
        if self.processes is not None:
            return self.processes.next(time.monotonic())
        return self.scheduler.next(time.monotonic())

    def _carry_out(self, action: tuple[int, int, int, int, int, int, int]) -> Any:
        """Do one action; return the next one."""
        kind, ticket, node, branch_id, number, tag, cause = action
        if kind == RUN:
            if branch_id == 0:
                for short_way in self._short_ways:
                    following = short_way.go_on(action)
                    if following is not action:
                        return following
            return self._run_task(ticket, node, branch_id, number, tag, cause)
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
        return self._next()

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

    # --- tasks

    def map_side(self) -> Any:
        """Return what runs this run's maps."""
        if self._maps is None:
            from graflow_fast._run.mapping import Maps

            self._maps = Maps(self)
        return self._maps

    def _start_map(self, attempt: Attempt) -> Any:
        self.map_side()
        self.prepare(attempt)
        attempt.started = time.time()
        self.running[attempt.ticket] = attempt
        self._maps.start(attempt)
        return self._next()

    def seen_by(self, attempt: Attempt) -> Any:
        """Return the channel as an attempt sees it."""
        return attempt.branch.channel

    def branch_for(self, branch_id: int, node: int, tag: int, number: int) -> Branch:
        """Return the branch that an activation of a node runs in."""
        if branch_id:
            return self.branches.branch(branch_id)
        return self.root if self.concurrency is None else self.concurrency.start(node, tag, number)

    def _run_task(self, ticket: int, node: int, branch_id: int, number: int, tag: int, cause: int) -> Any:
        attempt = self.attempt_of((RUN, ticket, node, branch_id, number, tag, cause))
        task, branch = attempt.task, attempt.branch
        if task.is_map:
            return self._start_map(attempt)
        place = self.placement.of(task, branch, self.parallel)
        if place == INLINE:
            return self._run_inline(attempt)
        if place == PROCESS and self.processes is None and self.process_side().steps is not None:
            return self._carry_out((RUN, ticket, node, branch_id, number, tag, cause))  # there is a short way now
        self.prepare(attempt)
        self.running[ticket] = attempt
        if place == PROCESS:
            self.process_side().submit(attempt)
        elif place == THREAD:
            self._thread_side().submit(self, attempt)
        return self._next()

    def attempt_of(self, action: tuple[int, int, int, int, int, int, int]) -> Attempt:
        """Return the attempt that an action of the kind RUN asks for."""
        _, ticket, node, branch_id, number, tag, cause = action
        branch = self.branch_for(branch_id, node, tag, number)
        attempt = Attempt(ticket, node, branch, number, self.nodes.tasks[node], self.nodes.names[node])
        attempt.cause = cause
        if not self.silent and branch_id == 0:
            self.tracing.told = max(0, self.tracing.told - 1)
        if tag:
            attempt.tag = tag
            attempt.task_id, attempt.call, attempt.cause = self.requested.by_tag(
                tag
            )  # kept until the iteration has completed
        return attempt

    def _run_inline(self, attempt: Attempt) -> Any:
        context = self.prepare(attempt)
        self.body_ran_here()
        branch = attempt.branch
        task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
        attempt.started = task_context.start_time
        outer_running, registry.running.task_context = registry.running.task_context, task_context
        outer_context, context.current_task_context = context.current_task_context, task_context
        self._inline = attempt
        try:
            if branch.fork is None or branch.output.flowing():
                result = self.call_body(attempt, context, task_context)
            else:
                # Members before this one are not done, so what it prints waits for its turn.
                with CapturedThreads(), capture() as pieces:
                    try:
                        result = self.call_body(attempt, context, task_context)
                    finally:
                        branch.output.write(pieces)
        except Exception as error:
            self.failed(attempt, error)
            return self._next()
        finally:
            context.current_task_context = outer_context
            registry.running.task_context = outer_running
        return self._returned(attempt, result, task_context.directives)

    def _returned(self, attempt: Attempt, result: Any, asked: list[tuple[Any, ...]] | None) -> Any:
        """Apply what a body that ran here returned and asked for; return the next action."""
        try:
            directives = None if asked is None else self.requested.apply(attempt, asked)
        except GraflowError as error:  # what it asked for can't be done, so it fails as if it had raised
            self.failed(attempt, error)
            return self._next()
        self._store_result(attempt.branch, attempt, result)
        return self._completed(attempt, result, directives)

    def prepare(self, attempt: Attempt) -> ExecutionContext:
        """Count the attempt and tell the tracer; return the context that the body sees."""
        context = attempt.branch.context
        task = attempt.task
        base_id = attempt.base_id
        definition = getattr(task, "_definition", None)
        if definition is not None:
            self.apply_limits(context, definition, attempt.task_id, base_id)
        if self.failures.failed:
            self.failures.forget([attempt.node])
        if attempt.number == 0:
            counts = context.cycle_controller.cycle_counts
            counts[base_id] = counts.get(base_id, 0) + 1
            if context.retry_controller.retry_counts:
                context.retry_controller.retry_counts.pop(attempt.task_id, None)
        else:
            # Counted by attempt, for another activation of the same task may be waiting for its own.
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        self.tracing.started(attempt)
        return context

    def apply_limits(self, context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> None:
        """Tell a context's counters what a definition says of loops and retries."""
        if definition.max_cycles is not None:
            context.cycle_controller.set_node_max_cycles(base_id, definition.max_cycles)
        if definition.retry_policy is not None:
            context.retry_controller.set_node_policy(task_id, definition.retry_policy)
        elif definition.max_retries is not None:
            context.retry_controller.set_node_max_retries(task_id, definition.max_retries)

    def body_ran_here(self) -> None:
        """Note that a body ran in this process, so what others have captured is looked at again before it is sent."""
        self.bodies_here += 1
        if self.processes is not None:
            self.processes.table.epoch += 1

    def step_failed(self, action: Any, task_context: TaskExecutionContext, error: Exception) -> Any:
        """Note that a step run the short way raised; return the next action."""
        self.failed(self._attempt_of_step(action, task_context), error)
        return self._next()

    def step_returned(self, action: Any, task_context: TaskExecutionContext, result: Any) -> Any:
        """Note that a step run the short way returned with directives; return the next action."""
        attempt = self._attempt_of_step(action, task_context)
        return self._returned(attempt, result, task_context.directives)

    def _attempt_of_step(self, action: Any, task_context: TaskExecutionContext) -> Attempt:
        _, ticket, node, _, number, _, cause = action
        attempt = Attempt(ticket, node, self.root, number, self.nodes.tasks[node], self.nodes.names[node])
        attempt.cause = cause
        attempt.started = task_context.start_time
        return attempt

    def call_body(self, attempt: Attempt, context: ExecutionContext, task_context: TaskExecutionContext) -> Any:
        """Call the body in this thread, through its handler when it asked for a registered one."""
        task = attempt.task
        handler = self.handlers.get(task.handler_type)
        if handler is not None:
            task.set_execution_context(context)
            task_context.previous = self.previous_of(attempt)  # type: ignore[attr-defined]
            if attempt.call is not NOTHING and attempt.call is not None:
                task_context.iteration_data = (unpacked(attempt.call),)  # type: ignore[attr-defined]
            attempt.handled = True
            return handler.execute_task(task, context)
        if not isinstance(task, TaskWrapper):
            task.set_execution_context(context)
            return task.run()
        definition = task._definition
        positional = () if attempt.call is NOTHING or attempt.call is None else (unpacked(attempt.call),)
        if definition.parameters or task._bound_kwargs:
            arguments = fill_arguments(
                definition,
                attempt.task_id,
                task._bound_kwargs,
                context.channel,
                self.previous_of(attempt),
                len(positional),
            )
        else:
            arguments = {}
        if definition.inject_context:
            return definition.func(task_context, *positional, **arguments)
        return definition.func(*positional, **arguments)

    def previous_of(self, attempt: Attempt) -> Any:
        """Return a function that gives the value of the single task before, or `NOTHING` when there is none."""
        return NOTHING if attempt.cause < 0 else self.previous_value(attempt.cause, attempt.branch.channel)

    def previous_value(self, cause: int, channel: Channel) -> Any:
        """Return a function that gives the result of the node ``cause``, or `NOTHING` for a group's."""
        if self.nodes.tasks[cause].is_group:
            return NOTHING
        key = f"{self.nodes.names[cause]}.__result__"
        return lambda: channel.get(key)

    def _store_result(self, branch: Branch, attempt: Attempt, result: Any) -> None:
        if attempt.tag:
            self.requested.drop(attempt.tag)
        if attempt.handled:
            return
        channel = branch.channel
        channel.set(f"{attempt.task_id}.__result__", result)
        if attempt.task_id is not attempt.base_id:
            channel.set(f"{attempt.base_id}.__result__", result)

    def _completed(self, attempt: Attempt, result: Any, directives: list[tuple[int, int, int]] | None) -> Any:
        """Note that a body returned, apply its directives, and return the next action."""
        branch = attempt.branch
        if self.concurrency is not None:
            branch.commit()
        cancelled = directives is not None and any(kind == CANCEL for kind, _, _ in directives)
        if branch.fork is None:
            if not cancelled:
                self.context.mark_task_completed(attempt.task_id)
            self.last_result = result
        self.tracing.ended(attempt, None)
        plain = self.requested.checkpoint is None and self.silent and self.forgetting is None
        if directives is None and self.processes is None and plain:
            return self.scheduler.complete_next(attempt.ticket, None, time.monotonic())
        checkpoint = self.requested.take_checkpoint(branch)
        self.scheduler.complete(attempt.ticket, directives, time.monotonic())
        if self.forgetting is not None:
            self.forgetting.completed(attempt, directives)
        if checkpoint is not None and not cancelled:
            self.requested.write_checkpoint(checkpoint)
        return self._next()

    def failed(self, attempt: Attempt, error: BaseException, least_delay: float = 0.0) -> None:
        """Note that a body raised: repeat it if its policy says so, else its branch fails."""
        branch = attempt.branch
        context = branch.context
        self.tracing.ended(attempt, error if isinstance(error, Exception) else None)
        if not attempt.handled:
            branch.channel.set(f"{attempt.task_id}.__result__", error)
        if not isinstance(error, Exception):
            # As inline, it leaves execute() once what comes before it in order has ended; no policy tolerates it.
            self.failures.exits[attempt.node] = error
            self.failures.note(attempt.node, error)
            if self.concurrency is not None and branch.fork is None:
                self.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, False)
            self.scheduler.complete(attempt.ticket, [(CANCEL, attempt.node, 0)], time.monotonic())
            return
        if attempt.number:
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        else:
            context.retry_controller.retry_counts.pop(attempt.task_id, None)
        delay = self.failures.retry_delay(context, attempt.task_id, error)
        if delay is None:
            self.failures.note(attempt.node, error)
            branch.failure = self.failures.final_error(context, attempt.task_id, error)
        elif delay < least_delay:
            delay = least_delay
        if self.concurrency is not None and branch.fork is None:
            self.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, delay is not None)
            if delay is None:
                self.context.channel.set(f"{attempt.task_id}.__result__", error)
        self.scheduler.fail(attempt.ticket, delay, time.monotonic())

    def attempt(self, ticket: int) -> Attempt | None:
        """Return a running attempt, also one that took the short way so far."""
        found = self.running.get(ticket)
        if found is None and self.processes is not None and self.processes.feed is not None:
            fed = self.processes.feed.release(ticket)
            if fed is not None:
                node, branch_id, cause = fed
                branch = self.branches.branch(branch_id)
                found = Attempt(ticket, node, branch, 0, self.nodes.tasks[node], self.nodes.names[node])
                found.started = time.time()
                found.cause = cause
                self.prepare(found)
                self.running[ticket] = found
        return found

    def take(self, ticket: int) -> Attempt | None:
        """Return an attempt that is running no longer, None when it is unknown (abandoned before)."""
        found = self.attempt(ticket)
        if found is not None:
            del self.running[ticket]
        return found

    def failed_for_good(self, attempt: Attempt, error: Exception) -> None:
        """Note that a body failed in a way that another attempt would only repeat."""
        attempt.branch.context.retry_controller.set_node_max_retries(attempt.task_id, 0)
        self.failed(attempt, error)

    def reported(self, attempt: Attempt, result: Any, directives: list[tuple[Any, ...]] | None) -> None:
        """Note that a body that ran elsewhere returned; its writes have been applied already."""
        try:
            applied = None if directives is None else self.requested.apply(attempt, directives)
        except GraflowError as error:
            self.failed(attempt, error)
            return
        self._store_result(attempt.branch, attempt, result)
        self._completed_elsewhere(attempt, result, applied)

    def _completed_elsewhere(self, attempt: Attempt, result: Any, directives: Any) -> None:
        branch = attempt.branch
        if self.concurrency is not None:
            branch.commit()
        if branch.fork is None:
            if directives is None or all(kind != CANCEL for kind, _, _ in directives):
                self.context.mark_task_completed(attempt.task_id)
            self.last_result = result
        self.tracing.ended(attempt, None)
        checkpoint = self.requested.take_checkpoint(branch)
        self.scheduler.complete(attempt.ticket, directives, time.monotonic())
        if self.forgetting is not None:
            self.forgetting.completed(attempt, directives)
        if checkpoint is not None:
            self.requested.write_checkpoint(checkpoint)

    def _abandon(self, ticket: int) -> None:
        attempt = self.take(ticket)
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

    def running_as(self, task_id: str) -> Attempt | None:
        """Return the attempt that is running under that id, if there is one."""
        if self._inline is not None and self._inline.task_id == task_id:
            return self._inline
        return next((attempt for attempt in self.running.values() if attempt.task_id == task_id), None)

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits or was skipped."""
        return explain.sentence(self, task_id)

    # --- who runs bodies elsewhere

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

    def _thread_side(self) -> Any:
        if self.threads is None:
            from graflow_fast._run.threads import Threads

            self.threads = Threads(self.settings.resolved_workers(), self.live_output)
        return self.threads
