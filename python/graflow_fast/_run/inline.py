"""The short way for plain steps: bodies of the workflow's own branch, run in the calling thread one after the other.

Owns which bodies are plain, and the context of a step that may be asked for one. The steps themselves are run in Rust
(`graflow_fast._core.InlineSteps`); whatever is not plain goes back to the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._core import InlineSteps as CoreSteps
from graflow_fast._run.arguments import NOTHING, fill_arguments
from graflow_fast._run.attempts import apply_limits
from graflow_fast._run.placement import INLINE
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._run.driver import Run


class InlineSteps:
    """Runs plain steps of one run; the core asks it what it can't know, and tells it what is not plain.

    Attributes:
        data, expiries: the channel's dictionaries when writing to them is all that setting a value does, else None.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        context = run.context
        self.channel = channel = context.channel
        plain = type(channel) is MemoryChannel
        self.data = channel.data if plain else None  # type: ignore[attr-defined]
        self.expiries = channel.ttl_data if plain else None  # type: ignore[attr-defined]
        self.counts = context.count_steps(run.nodes.names, run.nodes.ids, run.nodes.plain)
        self.retry_counts = context.retry_controller.retry_counts
        record = None if run.note_task is None else context.tracer._record
        self.times = None if record is None else record.times
        self.core = CoreSteps(run.scheduler, run.nodes.tasks, run.nodes.names, TaskWrapper, self)
        self.marker = StepContext(self.core, context)
        self._outer: list[tuple[Any, Any]] = []

    def go_on(self, action: Any) -> Any:
        """Run plain steps from ``action`` on; return the first action that is none, or None."""
        return self.core.go_on(action)

    def close(self) -> None:
        """Let go of the core, which holds this in turn: the garbage collector may be off."""
        del self.core, self.marker

    # --- what the core asks

    def begin(self) -> InlineSteps:
        """Let this thread be in a body of this run from now on."""
        running, context = registry.running, self.run.context
        self._outer.append((running.task_context, context.current_task_context))
        self.marker.forget()
        running.task_context = context.current_task_context = self.marker  # type: ignore[assignment]
        return self

    def end(self, any_completed: bool, last_result: Any) -> None:
        """Let the thread be where it was before; note what the last step gave, if one completed."""
        registry.running.task_context, self.run.context.current_task_context = self._outer.pop()
        self.run.bodies.ran()
        if any_completed:
            self.run.last_result = last_result

    def new_context(self) -> TaskExecutionContext:
        """Return the context of a step that takes one."""
        made = registry.running.task_context = self.run.context.current_task_context = self.marker.made()
        return made

    def renew(self) -> None:
        """Stand for the next step, which may take no context."""
        self.marker.forget()
        registry.running.task_context = self.run.context.current_task_context = self.marker  # type: ignore[assignment]

    def context(self) -> TaskExecutionContext:
        """Return the context of the step that ended."""
        made = self.marker.made()
        self.marker.forget()
        return made

    def fill_arguments(self, task: TaskWrapper, task_id: str, cause: int) -> dict[str, Any]:
        """Return the arguments of a body, however they are found."""
        previous = NOTHING if cause < 0 else self.run.bodies.previous_value(cause, self.channel)
        return fill_arguments(task._definition, task_id, task._bound_kwargs, self.channel, previous)

    def plan_of(self, task: TaskWrapper) -> tuple[Any, ...] | None:
        """Return how to run a task's definition the short way, None when it needs the driver.

        That is: the function, whether it takes the context, its parameters, whether they are looked up in the channel,
        the names that may be bound (None: any), and what sets its limits (None: nothing).
        """
        run = self.run
        definition = task._definition
        plain = task.handler_type == "direct" and "direct" not in run.handlers
        if not plain or not run.silent or run.placement.of(task, run.root, run.parallel) != INLINE:
            return None
        parameters = [(each.name, each.result_key, each.required) for each in definition.parameters]
        names = None if definition.takes_any else frozenset(name for name, _, _ in parameters)
        limits = (definition.max_cycles, definition.max_retries, definition.retry_policy)
        limit: Callable[[str], None] | None = None
        if any(value is not None for value in limits):

            def limit(task_id: str) -> None:
                apply_limits(run.context, definition, task_id, task_id)

        return definition.func, definition.inject_context, parameters, definition.resolve_keyword_args, names, limit

    def returned(self, action: Any, task_context: TaskExecutionContext, result: Any) -> Any:
        """Go on after a step that asked for something; return the next action."""
        return self.run.bodies.step_returned(action, task_context, result)

    def raised(self, action: Any, task_context: TaskExecutionContext, error: Exception) -> Any:
        """Go on after a step that failed; return the next action."""
        return self.run.bodies.step_failed(action, task_context, error)


class StepContext:
    """Stands for the context of the step that is running; one is made only when it is asked for."""

    __slots__ = ("_context", "_made", "_steps")

    def __init__(self, steps: CoreSteps, context: Any) -> None:
        object.__setattr__(self, "_steps", steps)
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_made", None)

    def made(self) -> TaskExecutionContext:
        """Return the context of the step."""
        if self._made is None:
            name = self._steps.name
            made = TaskExecutionContext(name, self._context, name)
            made.start_time = self._steps.started
            object.__setattr__(self, "_made", made)
        return self._made  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Stand for the next step."""
        object.__setattr__(self, "_made", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.made(), name, value)
