"""The driver of one run: it asks the scheduler what to do next, has bodies run where they belong, and reports back.

Owns the order in which effects are applied. It decides nothing about what may run (the scheduler does), nor how
workers are
talked to (`processes` does).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graflow_fast._core import Scheduler
from graflow_fast._run import explain
from graflow_fast._run.arguments import NOTHING, fill_arguments
from graflow_fast._run.branches import Branch, BranchTable, Fork, RootBranch
from graflow_fast._run.concurrency import Concurrency
from graflow_fast._run.failures import Failures
from graflow_fast._run.inline import InlineSteps
from graflow_fast._run.nodes import NodeTable
from graflow_fast._run.output import CapturedThreads, capture
from graflow_fast._run.packing import unpacked
from graflow_fast._run.placement import INLINE, PROCESS, THREAD, Placement
from graflow_fast._run.scope import LiveStore
from graflow_fast.core import registry
from graflow_fast.core.handlers.group_policy import resolve_group_policy
from graflow_fast.core.task import Executable, TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext, base_task_id
from graflow_fast.exceptions import (
    GraflowError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    StepLimitExceededError,
)

if TYPE_CHECKING:
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext

RUN, FORK, BRANCH_ENDED, JOIN, ABANDON, FINISHED, OVERRUN = range(7)
COMPLETED, TERMINATED, CANCELLED, FAILED, MAX_STEPS, OVERRAN = range(6)
ENQUEUE, GOTO, ITERATE, TERMINATE, CANCEL = range(5)

BRANCH_FAILED, BRANCH_STOPPED = 1, 2

EXECUTION_LIMIT = 10_000

#: Seconds that members declared before one that cancels may take to end, since in order they would have run first.
CANCEL_GRACE = 0.5
#: The scheduler's lane of all tasks of the workflow's own branch, where several may run at once.
ROOT_LANE = (1 << 32) - 1

_STOP_REASONS = {
    COMPLETED: "completed",
    TERMINATED: "terminated",
    CANCELLED: "canceled",
    FAILED: "failed",
    MAX_STEPS: "max_steps",
    OVERRAN: "failed",
}


class Attempt:
    """A running attempt: what the driver needs to know when its outcome comes.

    Attributes:
        task_id: the name it runs under (an iteration has its own); base_id: the node's name.
    """

    __slots__ = (
        "base_id",
        "branch",
        "call",
        "cause",
        "ended",
        "handled",
        "node",
        "number",
        "started",
        "tag",
        "task",
        "task_id",
        "ticket",
    )

    def __init__(self, ticket: int, node: int, branch: Branch, number: int, task: Executable, base_id: str) -> None:
        self.ticket = ticket
        self.node = node
        self.branch = branch
        self.number = number
        self.task = task
        self.base_id = base_id
        self.task_id = base_id
        self.call: Any = NOTHING
        self.cause = -1
        self.tag = 0
        #: When the body started and ended, in seconds since the epoch; 0 for not (yet) known.
        self.started = 0.0
        self.ended = 0.0
        #: Whether a registered handler ran it, which stores results itself.
        self.handled = False


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
        #: How many bodies have run in this thread, the short way aside.
        self.bodies_here = 0
        self.last_result: Any = None
        self.group_count = 0
        self.silent: bool = bool(getattr(context.tracer, "silent", False))
        self._tags: dict[int, tuple[str, Any, int]] = {}
        self._last_tag = 0
        self._steps_before = context.steps
        self._threads: Any = None
        self._processes: Any = None
        self._maps: Any = None
        self.parallel: bool = settings.schedule == "parallel"
        #: What concurrent tasks see of each other, None in a sequential run.
        self.concurrency: Concurrency | None = None
        if self.parallel:
            self.concurrency = Concurrency(self.root, self.live, settings.output == "live")
            workers = settings.resolved_workers()
            self.scheduler.set_lane_limit(ROOT_LANE, min(workers, settings.max_concurrency or workers))
        record = getattr(context.tracer, "_record", None)
        #: Notes for the tracer that a step ran, None when nobody wants to know.
        self.note_task = record.note if self.silent and record is not None else None
        self._steps = None if self.parallel else InlineSteps(self)

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
        context._run_steps = lambda: self._steps_before + self.scheduler.steps
        self.placement.check(self.nodes.tasks)
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
        finally:
            self._close()
            context._steps = self._steps_before + self.scheduler.steps
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
                raise GraflowRuntimeError(f"Node '{name}' not found in graph. Available nodes: {available}...")
            starts.append(node)
        self._told_queued = len(starts)
        self.scheduler.start(starts, now)

    def _next(self) -> Any:
        if not self.silent:
            self._tell_queued()
        if self._maps is not None and self._maps.active and self._maps.blocks():
            return None
        if self._processes is not None:
            return self._processes.next(time.monotonic())
        return self.scheduler.next(time.monotonic())

    def _carry_out(self, action: tuple[int, int, int, int, int, int, int]) -> Any:
        """Do one action; return the next one."""
        kind, ticket, node, branch_id, number, tag, cause = action
        if kind == RUN:
            if branch_id == 0 and self._steps is not None:
                following = self._steps.go_on(action)
                if following is not action:
                    return following
            return self._run_task(ticket, node, branch_id, number, tag, cause)
        if kind == FORK:
            self._fork(ticket, node, branch_id, tag, cause)
        elif kind == BRANCH_ENDED:
            fork = self.branches.fork_of(branch_id)
            fork.end_fed()
            if tag == BRANCH_STOPPED:
                fork.stop_after(number)
            fork.end_branch(self.branches.take_branch(branch_id), number, tag != BRANCH_FAILED)
        elif kind == JOIN:
            self._join(ticket, node, number, tag, bool(cause))
        elif kind == ABANDON:
            self._abandon(ticket)
        elif kind == FINISHED:
            self._finish(node, number, branch_id)
            return None
        elif kind == OVERRUN:
            branch = self.branches.branch(branch_id)
            branch.failure = StepLimitExceededError(self.nodes.names[node], EXECUTION_LIMIT + 1, EXECUTION_LIMIT)
        return self._next()

    def _wait(self) -> None:
        """Wait until a body reports or a deadline passes."""
        deadline = self.scheduler.deadline()
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        if self._maps is not None and self._maps.active:
            timeout = self._maps.pump(timeout)
            if timeout == 0.0 and not self._busy_elsewhere():
                return
        if self._processes is not None and self._processes.busy():
            if self._threads is not None and self._threads.busy():
                timeout = 0.005 if timeout is None else min(timeout, 0.005)
                self._threads.collect(self, 0.0)
            self._processes.collect(timeout)
        elif self._threads is not None and self._threads.busy():
            self._threads.collect(self, timeout)
        elif timeout is not None:
            time.sleep(timeout)
        elif self._processes is None or self._processes.has_room():
            raise GraflowRuntimeError(
                "Internal error: nothing is running and nothing may start, but the run is not finished. "
                f"In flight: {self.scheduler.in_flight()}; waiting: {self.scheduler.pending_work()}"
            )

    def _busy_elsewhere(self) -> bool:
        processes, threads = self._processes, self._threads
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

    def _branch_for(self, branch_id: int, node: int, tag: int, number: int) -> Branch:
        if branch_id:
            return self.branches.branch(branch_id)
        return self.root if self.concurrency is None else self.concurrency.start(node, tag, number)

    def _run_task(self, ticket: int, node: int, branch_id: int, number: int, tag: int, cause: int) -> Any:
        task = self.nodes.tasks[node]
        branch = self._branch_for(branch_id, node, tag, number)
        attempt = Attempt(ticket, node, branch, number, task, self.nodes.names[node])
        attempt.cause = cause
        if not self.silent and branch_id == 0 and number == 0:
            self._told_queued = max(0, self._told_queued - 1)
        if tag:
            attempt.tag = tag
            attempt.task_id, attempt.call, attempt.cause = self._tags[tag]  # kept until the iteration has completed
        if task.is_map:
            return self._start_map(attempt)
        place = self.placement.of(task, branch, self.parallel)
        if place == INLINE:
            return self._run_inline(attempt)
        self.prepare(attempt)
        self.running[ticket] = attempt
        if place == PROCESS:
            self._process_side().submit(attempt)
        elif place == THREAD:
            self._thread_side().submit(self, attempt)
        return self._next()

    def _run_inline(self, attempt: Attempt) -> Any:
        context = self.prepare(attempt)
        self.bodies_here += 1
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
            directives = None if asked is None else self.directives(attempt, asked)
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
        if attempt.number == 0:
            counts = context.cycle_controller.cycle_counts
            counts[base_id] = counts.get(base_id, 0) + 1
            if context.retry_controller.retry_counts:
                context.retry_controller.retry_counts.pop(attempt.task_id, None)
        else:
            # Counted by attempt, for another activation of the same task may be waiting for its own.
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        if not self.silent:
            context.tracer.on_task_start(self._traced(attempt), context)
        return context

    def apply_limits(self, context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> None:
        """Tell a context's counters what a definition says of loops and retries."""
        if definition.max_cycles is not None:
            context.cycle_controller.set_node_max_cycles(base_id, definition.max_cycles)
        if definition.retry_policy is not None:
            context.retry_controller.set_node_policy(task_id, definition.retry_policy)
        elif definition.max_retries is not None:
            context.retry_controller.set_node_max_retries(task_id, definition.max_retries)

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
            del self._tags[attempt.tag]
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
        self._trace_end(attempt, None)
        if directives is None and self._processes is None and self._checkpoint is None and self.silent:
            return self.scheduler.complete_next(attempt.ticket, None, time.monotonic())
        checkpoint = self._pop_checkpoint(branch)
        self.scheduler.complete(attempt.ticket, directives, time.monotonic())
        if checkpoint is not None and not cancelled:
            self._write_checkpoint(checkpoint)
        return self._next()

    def failed(self, attempt: Attempt, error: BaseException) -> None:
        """Note that a body raised: repeat it if its policy says so, else its branch fails."""
        branch = attempt.branch
        context = branch.context
        self._trace_end(attempt, error if isinstance(error, Exception) else None)
        if not attempt.handled:
            branch.channel.set(f"{attempt.task_id}.__result__", error)
        if not isinstance(error, Exception):
            # As inline, it leaves execute() once what comes before it in order has ended; no policy tolerates it.
            self.failures.exits[attempt.node] = error
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
            branch.failure = self.failures.final_error(context, attempt.task_id, error)
        if self.concurrency is not None and branch.fork is None:
            self.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, delay is not None)
            if delay is None:
                self.context.channel.set(f"{attempt.task_id}.__result__", error)
        self.scheduler.fail(attempt.ticket, delay, time.monotonic())

    def attempt(self, ticket: int) -> Attempt | None:
        """Return a running attempt, also one that took the short way so far."""
        found = self.running.get(ticket)
        if found is None and self._processes is not None and self._processes.feed is not None:
            fed = self._processes.feed.release(ticket)
            if fed is not None:
                node, branch_id = fed
                branch = self.branches.branch(branch_id)
                found = Attempt(ticket, node, branch, 0, self.nodes.tasks[node], self.nodes.names[node])
                found.started = time.time()
                fork = branch.fork
                found.cause = -1 if fork is None else fork.cause
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
            applied = None if directives is None else self.directives(attempt, directives)
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
        self._trace_end(attempt, None)
        checkpoint = self._pop_checkpoint(branch)
        self.scheduler.complete(attempt.ticket, directives, time.monotonic())
        if checkpoint is not None:
            self._write_checkpoint(checkpoint)

    def _trace_end(self, attempt: Attempt, error: Exception | None) -> None:
        branch = attempt.branch
        if not self.silent:
            with branch.context.tracer.at(datetime.fromtimestamp(attempt.ended) if attempt.ended else None):
                branch.context.tracer.on_task_end(self._traced(attempt), branch.context, result=None, error=error)
        elif branch.fork is None:
            task = attempt.task
            ended = attempt.ended or time.time()
            branch.context.tracer.record_task(
                attempt.task_id, attempt.started, ended, error, type(task).__name__, task.handler_type
            )

    def _tell_queued(self, started: int = 0) -> None:
        """Tell the tracer which tasks joined the workflow's own queue since it was last told."""
        self._told_queued = max(0, self._told_queued - started)
        waiting = self.scheduler.pending_work()
        for node, tag, _ in waiting[self._told_queued :]:
            task = self.nodes.tasks[node]
            if tag and isinstance(task, TaskWrapper):
                task = TaskWrapper(self._tags[tag][0], task._definition, register_to_context=False)
            self.context.tracer.on_task_queued(task, self.context)
        self._told_queued = len(waiting)

    def _traced(self, attempt: Attempt) -> Executable:
        """Return what tracers are shown: the task, under an iteration's own name if it is one."""
        if attempt.task_id is attempt.base_id or not isinstance(attempt.task, TaskWrapper):
            return attempt.task
        return TaskWrapper(attempt.task_id, attempt.task._definition, register_to_context=False)

    # --- directives

    #: The attempt whose body runs in the driver's thread; the checkpoint asked for.
    _inline: Attempt | None = None
    #: How many of those that wait in the workflow's own queue the tracer was told of.
    _told_queued = 0
    _checkpoint: tuple[dict[str, Any], str | None] | None = None

    def directives(self, attempt: Attempt, asked: list[tuple[Any, ...]]) -> list[tuple[int, int, int]]:
        """Turn what a body asked for into the scheduler's terms, attaching what is new."""
        applied: list[tuple[int, int, int]] = []
        tracer = attempt.branch.context.tracer
        for directive in asked:
            kind = directive[0]
            if kind == "next":
                _, executable, goto = directive
                new = executable.task_id not in self.nodes.ids
                node = self.nodes.attach(executable, None)
                if new and executable.is_group:
                    self.group_count += attempt.branch.fork is None
                applied.append((GOTO if goto else ENQUEUE, node, 0))
                self._trace_added(tracer, executable, attempt.task_id, False, new, goto)
            elif kind == "iterate":
                _, name, data = directive
                applied.append((ITERATE, attempt.node, self.new_tag(name, data, attempt.cause)))
                self._trace_added(tracer, attempt.task, attempt.task_id, True, True, False, name)
            elif kind == "terminate":
                self.context.ctrl_message = directive[1]
                applied.append((TERMINATE, attempt.node, 0))
            elif kind == "cancel":
                error = GraflowWorkflowCanceledError(directive[1] or "Workflow canceled", task_id=attempt.task_id)
                self.failures.cancelled[attempt.node] = error
                applied.append((CANCEL, attempt.node, 0))
            else:
                self._checkpoint = (directive[1], directive[2])
        return applied

    def new_tag(self, name: str, data: Any, cause: int) -> int:
        """Return the tag by which the scheduler will name an iteration; it is used once."""
        self._last_tag += 1
        self._tags[self._last_tag] = (name, data, cause)
        return self._last_tag

    def iteration(self, tag: int) -> tuple[str, Any] | None:
        """Return the id and data of the iteration with that tag, None for an ordinary activation."""
        if not tag:
            return None
        name, data, _ = self._tags[tag]
        return name, unpacked(data)

    def running_as(self, task_id: str) -> Attempt | None:
        """Return the attempt that is running under that id, if there is one."""
        if self._inline is not None and self._inline.task_id == task_id:
            return self._inline
        return next((attempt for attempt in self.running.values() if attempt.task_id == task_id), None)

    def _trace_added(
        self, tracer: Any, executable: Executable, parent: str, iteration: bool, new: bool, goto: bool, name: str = ""
    ) -> None:
        if not self.silent:
            tracer.on_dynamic_task_added(
                task_id=name or executable.task_id,
                parent_task_id=parent,
                is_iteration=iteration,
                metadata={"task_type": type(executable).__name__, "is_new_task": new, "goto": goto},
            )

    # --- groups

    def _fork(self, ticket: int, node: int, branch_id: int, first: int, cause: int) -> None:
        group: Any = self.nodes.tasks[node]
        parent = self._branch_for(branch_id, node, 0, 0)
        names = [self.nodes.names[member] for member in self.nodes.members[node]]
        context = parent.context
        base_id = self.nodes.names[node]
        counts = context.cycle_controller.cycle_counts
        counts[base_id] = counts.get(base_id, 0) + 1
        if not self.silent:
            self._tell_queued(started=1)
            context.tracer.on_task_start(group, context)
            context.tracer.on_parallel_group_start(base_id, names, context)
        live_output = self.settings.output == "live"
        fork = Fork(ticket, group, parent, first, names, self.live, live_output)
        fork.cause = cause
        self.branches.add_fork(fork)
        if self.placement.members_in_pool(self.branches.placement_of(fork)):
            self._process_side().open_fork(fork, self.nodes.members[node])

    def _join(self, ticket: int, node: int, count: int, first: int, stopped: bool) -> None:
        fork = self.branches.fork(first)
        parent = fork.parent
        self.branches.end_fork(fork)
        if self._processes is not None and fork.view is not None:
            self._processes.forget_view(fork.view)
        fork.replay(count)
        error: Exception | None = None
        if stopped and fork.errors:
            self._warn_unheard(fork)
        # The built-in policies that only look at failures have nothing to say when there are none.
        idle = not fork.errors and fork.group._execution_config["policy"] in ("strict", "best_effort")
        if not stopped and not idle:
            try:
                policy = resolve_group_policy(fork.group._execution_config.get("policy", "strict"))
                policy.on_group_finished(fork.group_name, fork.group.tasks, fork.results(), parent.context)
            except Exception as raised:
                error = raised
        name = fork.group_name
        if not self.silent:
            parent.context.tracer.on_parallel_group_end(name, fork.members, parent.context)
            parent.context.tracer.on_task_end(fork.group, parent.context, result=None, error=error)
        elif parent.fork is None:
            kind = type(fork.group).__name__
            parent.context.tracer.record_task(name, fork.started, time.time(), error, kind, fork.group.handler_type)
        parent.channel.set(f"{name}.__result__", error)
        if error is not None:
            delay = self.failures.retry_delay(parent.context, name, error)
            if self.concurrency is not None and parent.fork is None:
                self.concurrency.failed(parent, node, 0, 0, False)
                self.context.channel.set(f"{name}.__result__", error)
            if delay is None:
                parent.failure = self._group_error(fork, self.failures.final_error(parent.context, name, error))
            self.scheduler.fail(ticket, delay, time.monotonic())
            return
        if self.concurrency is not None:
            parent.commit()
        if parent.fork is None:
            self.last_result = None
            self.context.mark_task_completed(name)
        checkpoint = self._pop_checkpoint(parent)
        self.scheduler.complete(ticket, None, time.monotonic())
        if checkpoint is not None:
            self._write_checkpoint(checkpoint)

    def _warn_unheard(self, fork: Fork) -> None:
        """Say which members had failed when the workflow was ended well, since no policy will."""
        failed = ", ".join(f"'{fork.members[index]}' ({fork.errors[index]})" for index in sorted(fork.errors))
        warnings.warn(
            f"The workflow was terminated while group '{fork.group_name}' had failed members: {failed}",
            stacklevel=_user_stack_level(),
        )

    def _group_error(self, fork: Fork, error: Exception) -> BaseException:
        """Return what the parent's branch fails with; the first member's error is its cause, exits pass through."""
        for index in sorted(fork.errors):
            if not isinstance(fork.errors[index], Exception):
                return fork.errors[index]
        if fork.errors and error.__cause__ is None:
            error.__cause__ = fork.errors[min(fork.errors)]
        return error

    def _abandon(self, ticket: int) -> None:
        attempt = self.take(ticket)
        if attempt is None:
            return
        if attempt.task.is_map:
            self._maps.abandon(attempt)
        elif self._processes is not None:
            self._processes.abandon(attempt)
        self._trace_end(attempt, None)

    # --- the end

    def _finish(self, node: int, reason: int, branch_id: int) -> None:
        context = self.context
        context.stop_reason = _STOP_REASONS[reason]
        if reason == CANCELLED:
            if branch_id:
                self.branches.branch(branch_id).show_output_up_to_here()
            if node in self.failures.exits:
                context.stop_reason = "failed"
                raise self.failures.exits[node]
            raise self.failures.cancelled[node]
        if reason in (FAILED, OVERRAN):
            error = self.root.failure
            assert error is not None, "the root branch failed without an error"
            raise error
        if reason == MAX_STEPS:
            warnings.warn(
                f"Workflow stopped after max_steps={context.max_steps} tasks; "
                f"waiting to run: {', '.join(self._waiting()[:5]) or 'nothing'}",
                stacklevel=_user_stack_level(),
            )

    def _waiting(self) -> list[str]:
        return [self.nodes.names[node] for node, _, _ in self.scheduler.pending_work()]

    def _close(self) -> None:
        if self._maps is not None:
            self._maps.close()
        if self._threads is not None:
            self._threads.close()
        if self._processes is not None:
            self._processes.close()

    def _pop_checkpoint(self, branch: Branch) -> tuple[dict[str, Any], str | None] | None:
        if branch.fork is not None:
            return None  # written when the outermost group has joined
        request, self._checkpoint = self._checkpoint, None
        return request

    def _write_checkpoint(self, request: tuple[dict[str, Any], str | None]) -> None:
        from graflow_fast.core.checkpoint import CheckpointManager

        metadata, path = request
        CheckpointManager.create_checkpoint(self.context, path=path, metadata=metadata)

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits or was skipped."""
        return explain.sentence(self, task_id)

    # --- who runs bodies elsewhere

    def _process_side(self) -> Any:
        if self._processes is None:
            from graflow_fast._run.processes import Processes

            self._processes = Processes(self)
        return self._processes

    def _thread_side(self) -> Any:
        if self._threads is None:
            from graflow_fast._run.threads import Threads

            self._threads = Threads(self.settings.resolved_workers(), CapturedThreads())
        return self._threads


def _user_stack_level() -> int:
    """Return the ``stacklevel`` that makes a warning point at the caller outside this package."""
    import sys

    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("graflow_fast"):
        frame = frame.f_back
        level += 1
    return level


__all__ = ["Attempt", "Run", "base_task_id"]
