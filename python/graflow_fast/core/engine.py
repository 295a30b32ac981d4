"""`WorkflowEngine`: runs a context, with the handlers registered with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Any

from graflow_fast._pool.registry import prestart
from graflow_fast._run.driver import Run
from graflow_fast._run.settings import Settings
from graflow_fast._tracebacks import show_user_lines
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskHandler


#: Tasks that are looked at before the pool starts.
_FIRST_TASKS = 8


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
        if start_task_id is not None:
            context.pending.appendleft(start_task_id)
        name, run = self._begin(context)
        try:
            result = run.execute()
        except (GraflowError, KeyboardInterrupt) as error:
            show_user_lines(error)
            raise
        if context.parent_context is None:
            context.tracer.on_workflow_end(name, context, result=result)
        return result

    def stream(self, context: ExecutionContext, last: Any) -> Generator[Any, None, None]:
        """Run a context and yield the results of the map ``last`` as they come."""
        name, run = self._begin(context)
        results: deque[Any] = deque()
        # Without anything behind it, nobody could read the list, so it is not made.
        keeps = bool(context.graph.successors(last.task_id))
        run.map_side().streamed = (last, results, keeps)
        steps = run.steps()
        try:
            for _ in steps:
                while results:
                    yield results.popleft()
            yield from results
        except BaseException:
            # What the map yielded before the run failed is good.
            steps.close()
            raise
        context.tracer.on_workflow_end(name, context, result=None)

    def _begin(self, context: ExecutionContext) -> tuple[str, Run]:
        if context.settings is None:
            context.settings = Settings()
        name = getattr(context.graph, "name", None) or f"workflow_{context.session_id[:8]}"
        if context.parent_context is None:
            context.tracer.on_workflow_start(name, context)
        if context.parent_context is None and _needs_pool(context):
            prestart(context.settings.resolved_workers(), needs_cloudpickle=lambda: _needs_cloudpickle(context))
        return name, Run(context, self._handlers)

    def execute_with_cycles(self, graph: TaskGraph, start_node: str, max_steps: int = 10) -> None:
        """Run a graph that may have loops from ``start_node``, at most ``max_steps`` tasks."""
        from graflow_fast.core.context import ExecutionContext

        self.execute(ExecutionContext.create(graph, start_node, max_steps=max_steps))


def _needs_cloudpickle(context: ExecutionContext) -> bool:
    """Say whether one of the first tasks has a body that only cloudpickle can send."""
    from graflow_fast._run import plain_functions

    definitions = (getattr(task, "_definition", None) for task in islice(context.graph._tasks.values(), _FIRST_TASKS))
    found = {id(definition): definition for definition in definitions if definition is not None}
    try:
        return any(plain_functions.dump(definition.__getstate__()) is None for definition in found.values())
    except Exception:  # the task says so when its turn comes
        return True


def _needs_pool(context: ExecutionContext) -> bool:
    """Say whether bodies will surely run in worker processes, as far as that can be seen at once."""
    settings = context.settings
    executor = settings.resolved_executor()
    if executor != "auto":
        return bool(executor == "process")
    if settings.schedule == "parallel" or settings.timeout is not None or settings.memory_limit is not None:
        return True
    groups = context.graph._groups.values()
    return any(getattr(group._execution_config.get("backend"), "name", "PROCESS") == "PROCESS" for group in groups)
