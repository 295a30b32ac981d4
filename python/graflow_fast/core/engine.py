"""`WorkflowEngine`: runs a context, with the handlers registered with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from graflow_fast._pool.registry import prestart
from graflow_fast._run.settings import Settings
from graflow_fast._stacks import listen
from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core.running import Process
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from graflow_fast._record.plan import Plan
    from graflow_fast._run.driver import Run
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskHandler
    from graflow_fast.core.workflow_run import WorkflowRun


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
            _start_with(context, start_task_id)
        return self._made(context).execute()

    def start(self, context: ExecutionContext, *, with_context: bool = False) -> WorkflowRun:
        """Begin to run a context, in a thread of its own, and return a handle on the run.

        Args:
            context: what to run.
            with_context: whether the handle's result is (result, context), as that of ``execute(ret_context=True)``.
        """
        import contextvars

        from graflow_fast.core.workflow_run import WorkflowRun

        name = getattr(context._workflow, "name", None) or _name_of(context)
        begun = WorkflowRun(name, context, self._made(context), with_context=with_context)
        begun.begin(contextvars.copy_context())
        return begun

    def plan(self, context: ExecutionContext) -> Plan:
        """Return what running a context would do, without running anything.

        Args:
            context: what would run.

        Raises:
            ConfigError: a task asks for what can't be honoured.
        """
        from graflow_fast._run.planning import plan

        return plan(context, self._handlers)

    def _made(self, context: ExecutionContext) -> _Made:
        """Return a run of a context that can be executed, once."""
        name = self._begin(context)
        from graflow_fast._run.driver import Run  # while the first process starts

        return _Made(name, Run(context, self._handlers))

    def stream(self, context: ExecutionContext, last: Any) -> Generator[Any, None, None]:
        """Run a context and yield the results of the map ``last`` as they come."""
        name = self._begin(context)
        from graflow_fast._run.driver import Run  # while the first process starts

        run = Run(context, self._handlers)
        results: deque[Any] = deque()
        # Without anything behind it, nobody could read the list, so it is not made; but for who goes on with the run.
        keeps = bool(context.graph.successors(last.task_id)) or run.is_durable
        run.map_side().streamed = (last, results, keeps)
        steps = run.steps()
        try:
            for _ in steps:
                while results:
                    yield results.popleft()
                    run.bodies.ran()  # who reads them may have changed what functions capture
            yield from results
        except BaseException:
            # What the map yielded before the run failed is good.
            steps.close()
            raise
        context.tracer.on_workflow_end(name, context, result=None)

    def _begin(self, context: ExecutionContext) -> str:
        """Tell the tracer, and start the pool if it will be needed; return the workflow's name."""
        if context.settings is None:
            context.settings = Settings()
        if Process.instead is not None:
            Process.instead(self, context)
        listen()
        name = _name_of(context)
        if context.parent_context is None:
            context.tracer.on_workflow_start(name, context)
        if context.parent_context is None and _needs_pool(context) and context.settings.engine() is None:
            prestart(context.settings.resolved_workers(), needs_cloudpickle=lambda: _needs_cloudpickle(context))
        return name

    def execute_with_cycles(self, graph: TaskGraph, start_node: str, max_steps: int = 10) -> None:
        """Run a graph that may have loops from ``start_node``, at most ``max_steps`` tasks."""
        from graflow_fast.core.context import ExecutionContext

        self.execute(ExecutionContext.create(graph, start_node, max_steps=max_steps))


class _Made:
    """A run, with what its caller and its tracer see of its end."""

    def __init__(self, name: str, run: Run) -> None:
        self._name = name
        self._run = run

    def execute(self) -> Any:
        """Run to the end and return the last task's result, or raise what ended the run."""
        run = self._run
        try:
            result = run.execute()
        except (GraflowError, KeyboardInterrupt) as error:
            show_user_lines(error)
            raise
        if run.context.parent_context is None:
            run.context.tracer.on_workflow_end(self._name, run.context, result=result)
        return result

    def end(self, how: str, message: str = "") -> bool:
        """End the run before anything else starts, from any thread; False when it has ended."""
        return self._run.outside.end(how, message)

    def in_body(self) -> bool:
        """Say whether the thread that executes it is in a body now."""
        return self._run.outside.meets_body

    def explain_from_outside(self, task_id: str) -> str:
        """Say in one sentence what became of a task so far; for any thread."""
        run = self._run
        sentence: str = run.outside.ask(lambda: run.explain(task_id, run.context))
        return sentence


def _name_of(context: ExecutionContext) -> str:
    return getattr(context.graph, "name", None) or f"workflow_{context.session_id[:8]}"


def _start_with(context: ExecutionContext, task_id: str) -> None:
    """Let a task come first; one that a checkpoint left unfinished goes on from there, and does not run twice."""
    if context.resume_state is None:
        context.pending.appendleft(task_id)
        return
    from graflow_fast._run.resume import start_with

    start_with(context, task_id)


def _needs_cloudpickle(context: ExecutionContext) -> bool:
    """Say whether one of the first tasks has a body that only cloudpickle can send."""
    from graflow_fast._wire.descriptions import is_plain

    definitions = (getattr(task, "_definition", None) for task in context.graph._table.tasks(_FIRST_TASKS))
    found = {id(definition): definition for definition in definitions if definition is not None}
    try:
        return not all(is_plain(definition) for definition in found.values())
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
