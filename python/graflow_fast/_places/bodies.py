"""Bodies in this process: how one is called, in the driver's thread or (for `threads`) in another.

Owns arguments, handlers and the count of bodies that ran here. What an outcome means is the attempt's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING, fill_arguments
from graflow_fast._body.awaited import awaited
from graflow_fast._body.packing import unpacked
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._places.attempt import TaskAttempt
    from graflow_fast._places.host import Nodes
    from graflow_fast._places.process.definitions import DefinitionTable
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handler import TaskHandler
    from graflow_fast.core.task_context import TaskExecutionContext


class Bodies:
    """The bodies that one run calls in this process.

    Attributes:
        count: how often they have run here: what they changed, later ones in the pool must capture.
        definitions: what workers are told of definitions, None when there are no workers.
    """

    def __init__(self, nodes: Nodes, handlers: dict[str, TaskHandler]) -> None:
        self._nodes = nodes
        self._handlers = handlers
        self.count = 0
        self.definitions: DefinitionTable | None = None

    def call(self, attempt: TaskAttempt, context: ExecutionContext, task_context: TaskExecutionContext) -> Any:
        """Call the body in this thread, through its handler when it asked for a registered one."""
        task = attempt.task
        handler = self._handlers.get(task.handler_type)
        positional = () if attempt.call is NOTHING or attempt.call is None else (unpacked(attempt.call),)
        if handler is not None:
            task.set_execution_context(context)
            task_context.previous = self.previous_of(attempt)  # type: ignore[attr-defined]
            if positional:
                task_context.iteration_data = positional  # type: ignore[attr-defined]
            attempt.handled = True
            return awaited(handler.execute_task(task, context))
        if not isinstance(task, TaskWrapper):
            task.set_execution_context(context)
            return awaited(task.run())
        definition, bound = task._definition, task._bound_kwargs
        arguments = {}
        if definition.parameters or bound:
            previous = self.previous_of(attempt)
            arguments = fill_arguments(definition, attempt.task_id, bound, context.channel, previous, len(positional))
        body = definition.func
        if definition.is_surrounded:
            from graflow_fast._places.surrounded import body_of

            body = body_of(definition, context.session_id)
        if definition.inject_context:
            return awaited(body(task_context, *positional, **arguments))
        return awaited(body(*positional, **arguments))

    def previous_of(self, attempt: TaskAttempt) -> Any:
        """Return a function that gives the value of the single task before, or `NOTHING` when there is none."""
        return NOTHING if attempt.cause < 0 else self.previous_value(attempt.cause, attempt.branch.channel)

    def previous_value(self, cause: int, channel: Channel) -> Any:
        """Return a function that gives the result of the node ``cause``, or `NOTHING` for a group's."""
        if self._nodes.tasks[cause].is_group:
            return NOTHING
        key = f"{self._nodes.names[cause]}.__result__"
        return lambda: channel.get(key)

    def ran(self) -> None:
        """Note that a body ran in this process, so what others have captured is looked at again before it is sent."""
        self.count += 1
        if self.definitions is not None:
            self.definitions.epoch += 1
