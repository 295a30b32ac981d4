"""Bodies in this process: how one is called, in the driver's thread or (for `threads`) in another.

Owns arguments, handlers and what the thread is told of the task it runs. What an outcome means is `outcomes`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING, fill_arguments
from graflow_fast._run.output import CapturedThreads, capture
from graflow_fast._run.packing import unpacked
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._run.actions import Action
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext


class Bodies:
    """The bodies that one run calls in this process.

    Attributes:
        count: how often they have run here: what they changed, later ones in the pool must capture.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.count = 0

    def run_inline(self, attempt: Attempt) -> None:
        """Run an attempt in this thread and apply its outcome."""
        run = self.run
        context = run.attempts.prepare(attempt)
        self.ran()
        branch = attempt.branch
        task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
        attempt.started = task_context.start_time
        outer_running, registry.running.task_context = registry.running.task_context, task_context
        outer_context, context.current_task_context = context.current_task_context, task_context
        run.attempts.inline = attempt
        try:
            if branch.fork is None or branch.output.flowing():
                result = self.call(attempt, context, task_context)
            else:
                # Members before this one are not done, so what it prints waits for its turn.
                with CapturedThreads(), capture() as pieces:
                    try:
                        result = self.call(attempt, context, task_context)
                    finally:
                        branch.output.write(pieces)
        except Exception as error:
            run.outcomes.failed(attempt, error)
            return
        finally:
            context.current_task_context = outer_context
            registry.running.task_context = outer_running
        run.outcomes.returned(attempt, result, task_context.directives)

    def call(self, attempt: Attempt, context: ExecutionContext, task_context: TaskExecutionContext) -> Any:
        """Call the body in this thread, through its handler when it asked for a registered one."""
        task = attempt.task
        handler = self.run.handlers.get(task.handler_type)
        positional = () if attempt.call is NOTHING or attempt.call is None else (unpacked(attempt.call),)
        if handler is not None:
            task.set_execution_context(context)
            task_context.previous = self.previous_of(attempt)  # type: ignore[attr-defined]
            if positional:
                task_context.iteration_data = positional  # type: ignore[attr-defined]
            attempt.handled = True
            return handler.execute_task(task, context)
        if not isinstance(task, TaskWrapper):
            task.set_execution_context(context)
            return task.run()
        definition, bound = task._definition, task._bound_kwargs
        arguments = {}
        if definition.parameters or bound:
            previous = self.previous_of(attempt)
            arguments = fill_arguments(definition, attempt.task_id, bound, context.channel, previous, len(positional))
        if definition.inject_context:
            return definition.func(task_context, *positional, **arguments)
        return definition.func(*positional, **arguments)

    def previous_of(self, attempt: Attempt) -> Any:
        """Return a function that gives the value of the single task before, or `NOTHING` when there is none."""
        return NOTHING if attempt.cause < 0 else self.previous_value(attempt.cause, attempt.branch.channel)

    def previous_value(self, cause: int, channel: Channel) -> Any:
        """Return a function that gives the result of the node ``cause``, or `NOTHING` for a group's."""
        nodes = self.run.nodes
        if nodes.tasks[cause].is_group:
            return NOTHING
        key = f"{nodes.names[cause]}.__result__"
        return lambda: channel.get(key)

    def ran(self) -> None:
        """Note that a body ran in this process, so what others have captured is looked at again before it is sent."""
        self.count += 1
        if self.run.processes is not None:
            self.run.processes.table.epoch += 1

    # --- steps of the workflow's own branch that were run the short way up to their end

    def step_failed(self, action: Action, task_context: TaskExecutionContext, error: Exception) -> Any:
        """Note that a step run the short way raised; return the next action."""
        self.run.outcomes.failed(self._attempt_of_step(action, task_context), error)
        return self.run.next()

    def step_returned(self, action: Action, task_context: TaskExecutionContext, result: Any) -> Any:
        """Note that a step run the short way returned with directives; return the next action."""
        self.run.outcomes.returned(self._attempt_of_step(action, task_context), result, task_context.directives)
        return self.run.next()

    def _attempt_of_step(self, action: Action, task_context: TaskExecutionContext) -> Attempt:
        _, ticket, node, _, number, _, cause = action
        attempt = self.run.attempts.new(ticket, node, self.run.root, number, cause)
        attempt.started = task_context.start_time
        return attempt
