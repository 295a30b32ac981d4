"""The short way for plain steps: bodies of the workflow's own branch, run in the calling thread one after the other.

Does exactly what the driver does for such a step, with nothing in between. Whatever is not plain (an iteration, a
repeated attempt, a directive, an exception, another placement) goes back to the driver.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING, fill_arguments
from graflow_fast._run.placement import INLINE
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._run.driver import Run

RUN = 0

#: How to run the bodies of a definition: (function, inject the context, it has parameters, it sets limits).
Plan = tuple[Any, bool, bool, bool]


class InlineSteps:
    """Runs plain steps of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        #: By definition: a plan for each of a million nodes would keep the garbage collector busy.
        self._plans: dict[Any, Plan | None] = {}
        channel = run.context.channel
        #: The channel's dictionary when writing to it is all that setting a value does.
        self._plain_data = channel.data if type(channel) is MemoryChannel else None

    def go_on(self, action: Any) -> Any:
        """Run plain steps from ``action`` on; return the first action that is none, or None."""
        run = self.run
        context = run.context
        plans = self._plans
        names, tasks = run.nodes.names, run.nodes.tasks
        channel = context.channel
        data = self._plain_data
        expiring = channel.ttl_data if isinstance(channel, MemoryChannel) else None
        running = registry.running
        outer_running = running.task_context
        outer_context = context.current_task_context
        complete_next = run.scheduler.complete_next
        cycle_counts = context.cycle_controller.cycle_counts
        retry_counts = context.retry_controller.retry_counts
        completed, completed_list = context._completed, context.completed_tasks
        monotonic, wall = time.monotonic, time.time
        note = run.note_task
        try:
            while action is not None:
                kind, ticket, node, branch, number, tag, cause = action
                if kind != RUN or branch or number or tag:
                    return action
                task: Any = tasks[node]
                if type(task) is not TaskWrapper:
                    return action
                definition = task._definition
                plan = plans[definition] if definition in plans else self._plan(task)
                if plan is None:
                    return action
                function, inject, has_parameters, has_limits = plan
                task_id = names[node]
                if has_limits:
                    run.apply_limits(context, definition, task_id, task_id)
                cycle_counts[task_id] = cycle_counts.get(task_id, 0) + 1
                if retry_counts:
                    retry_counts.pop(task_id, None)
                task_context = TaskExecutionContext(task_id, context, task_id)
                running.task_context = context.current_task_context = task_context
                try:
                    bound = task._bound_kwargs
                    if not has_parameters and not bound:
                        result = function(task_context) if inject else function()
                    else:
                        previous = NOTHING if cause < 0 else run.previous_value(cause, channel)
                        arguments = fill_arguments(definition, task_id, bound, channel, previous)
                        result = function(task_context, **arguments) if inject else function(**arguments)
                except Exception as error:
                    running.task_context, context.current_task_context = outer_running, outer_context
                    return run.step_failed(action, task_context, error)
                if task_context.directives is not None:
                    running.task_context, context.current_task_context = outer_running, outer_context
                    return run.step_returned(action, task_context, result)
                if data is not None and not expiring:
                    data[f"{task_id}.__result__"] = result
                else:
                    channel.set(f"{task_id}.__result__", result)
                if task_id not in completed:
                    completed.add(task_id)
                    completed_list.append(task_id)
                run.last_result = result
                if note is not None:
                    note(task_id, task_context.start_time, wall(), None, "TaskWrapper", "direct")
                action = complete_next(ticket, None, monotonic())
            return None
        finally:
            running.task_context, context.current_task_context = outer_running, outer_context

    def _plan(self, task: TaskWrapper) -> Plan | None:
        """Return how to run a task's definition the short way, None when it needs the driver."""
        run = self.run
        definition = task._definition
        plan: Plan | None = None
        plain = task.handler_type == "direct" and "direct" not in run.handlers
        if plain and run.silent and run.placement.of(task, run.root, run.parallel) == INLINE:
            limits = (definition.max_cycles, definition.max_retries, definition.retry_policy)
            plan = (
                definition.func,
                definition.inject_context,
                bool(definition.parameters),
                any(limit is not None for limit in limits),
            )
        self._plans[definition] = plan
        return plan
