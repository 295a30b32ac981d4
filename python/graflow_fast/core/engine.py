"""`WorkflowEngine`: runs a context, with the handlers registered with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._run.settings import Settings

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskHandler


class WorkflowEngine:
    """Runs execution contexts.

    ``"direct"``, ``"thread"`` and ``"process"`` are built in; `register_handler` adds names that
    ``@task(handler=...)`` may use.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, TaskHandler] = {}

    def register_handler(self, handler_type: str, handler: TaskHandler) -> None:
        """Let tasks with ``handler=handler_type`` be executed by ``handler``, in the calling thread."""
        self._handlers[handler_type] = handler

    def execute(self, context: ExecutionContext, start_task_id: str | None = None) -> Any:
        """Run a context to its end.

        Args:
            context: what to run.
            start_task_id: run this first, before what waits in the context (at first its start node).

        Returns:
            The last task's result.

        Raises:
            GraflowRuntimeError: a task failed or cancelled the run; ``__cause__`` is the task's exception.
        """
        from graflow_fast._run.driver import Run

        if context.settings is None:
            context.settings = Settings()
        if start_task_id is not None:
            context.pending.appendleft(start_task_id)
        name = getattr(context.graph, "name", None) or f"workflow_{context.session_id[:8]}"
        outermost = context.parent_context is None
        if outermost:
            context.tracer.on_workflow_start(name, context)
        result = Run(context, self._handlers).execute()
        if outermost:
            context.tracer.on_workflow_end(name, context, result=result)
        return result

    def execute_with_cycles(self, graph: TaskGraph, start_node: str, max_steps: int = 10) -> None:
        """Run a graph that may have loops from ``start_node``, at most ``max_steps`` tasks."""
        from graflow_fast.core.context import ExecutionContext

        self.execute(ExecutionContext.create(graph, start_node, max_steps=max_steps))
