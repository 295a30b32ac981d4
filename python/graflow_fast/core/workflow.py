"""`workflow(...)`: the scope in which tasks are defined, composed and executed.

Owns the settings and the runs of a workflow, and which one is current. Its tasks and edges are `_defined`'s, running is
`engine`'s.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import NoneType

from graflow_fast._core import learn_workflow
from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core import registry
from graflow_fast.core._defined import Defined
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.definition import whole
from graflow_fast.core.starts import find_starts
from graflow_fast.exceptions import ConfigError, GraflowError, GraflowRuntimeError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from graflow_fast._record.plan import Plan
    from graflow_fast.core.tracer import Tracer
    from graflow_fast.core.workflow_run import WorkflowRun

#: What else than a setting `WorkflowContext.execute` takes by name.
_BESIDE = ("start_node", "max_steps", "ret_context", "initial_channel")

#: What a copy of a workflow in a worker does without: what its runs are lent stays with them.
_OWN: dict[str, Any] = {"_prompt_manager": None, "_agents": {}}


class WorkflowContext(Defined):
    """A workflow under definition: a graph, and how to run it.

    Attributes:
        name: the workflow's name, used in traces.
        graph: its tasks and edges.
    """

    def __init__(
        self,
        name: str,
        tracer: Tracer | None = None,
        prompt_manager: Any = None,
        *,
        executor: Any = None,
        max_workers: int | None = None,
        schedule: str = "sequential",
        max_concurrency: int | None = None,
        output: str = "ordered",
        **options: Any,
    ) -> None:
        from graflow_fast._run.settings import Settings

        super().__init__(name)
        self.settings = Settings.of_workflow(
            executor=executor,
            max_workers=max_workers,
            schedule=schedule,
            max_concurrency=max_concurrency,
            output=output,
            **options,
        )
        self._tracer = tracer
        self._prompt_manager = prompt_manager
        #: What tells whether the run that `start` has begun goes on.
        self._started: Future[Any] | None = None
        self._tokens: list[tuple[contextvars.Token[WorkflowContext | None], Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        # A body may name its workflow; what crosses is the definition, not the place where it is being made.
        return {**self.__dict__, "_tokens": [], "_module_globals": {}, "_tracer": None, "_started": None, **_OWN}

    def __enter__(self) -> WorkflowContext:
        # A workflow defined inside a running body takes the definitions that follow: the body steps aside until exit.
        self._tokens.append((registry.current_workflow.set(self), registry.running.task_context))
        registry.running.task_context = None
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._tokens:
            token, registry.running.task_context = self._tokens.pop()
            registry.current_workflow.reset(token)

    def execute(
        self,
        start_node: str | None = None,
        max_steps: int | None = None,
        ret_context: bool = False,
        initial_channel: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Run the workflow and return the last task's result.

        Args:
            start_node: where to start; default: the one node without predecessors.
            max_steps: stop, with a warning, after so many completed tasks; default: no limit.
            ret_context: return (result, `ExecutionContext`) instead.
            initial_channel: values to put into the channel before the start.
            **options: ``executor`` (``"auto"``, ``"inline"``, ``"thread"``, ``"process"``, or an engine: ``"dask"``,
                ``"ray"``, a Dask client, an executor), ``max_workers``, ``schedule`` (``"sequential"``,
                ``"parallel"``), ``max_concurrency``, ``output`` (``"ordered"``, ``"live"``),
                ``timeout``, ``memory_limit``, ``keep_results`` (``"all"``, ``"needed"``, ``"none"``),
                ``deadline`` (seconds for the whole run), ``progress`` (True, ``"plain"``, ``"off"``: show it while it
                goes), ``record`` (True, or the file of a store: keep what ran when), ``initializer`` (called once in
                each worker), ``resources`` (how much there is of what tasks take, by name), ``durable`` (True, or the
                file of a store: another process can go on with the run), ``run`` (its name), ``sync`` (``"kill"``,
                ``"power"``); each default: the workflow's own.

        Raises:
            GraphCompilationError: there is no start, or more than one.
            UnknownOptionError: there is no such option; it is a `TypeError`.
            ConfigError: a value is out of range.
            GraflowRuntimeError: a task failed; ``__cause__`` is its exception.
            DeadlineExceededError: the run took longer than its ``deadline``.
        """
        from graflow_fast.core.engine import WorkflowEngine

        try:
            if self._started is not None and registry.running.task_context is None:
                self._refuse_second_run()
            settings = self.settings.merged(options, _BESIDE)
            context = self._prepare(start_node, max_steps, initial_channel, settings)
            result = WorkflowEngine().execute(context)
        except GraflowError as error:
            show_user_lines(error)
            raise
        return (result, context) if ret_context else result

    def plan(self, start_node: str | None = None, max_steps: int | None = None, **options: Any) -> Plan:
        """Return what `execute` would run, in which order and beside what; no body runs and no worker starts.

        The order is that of the scheduler which runs workflows. Times are those of the latest run of this workflow in
        the store, if there is one. Printed, the plan is a table.

        Args:
            start_node: where to start; default: the one node without predecessors.
            max_steps: as that of `execute`.
            **options: those of `execute`; ``record`` says in which store to look for times.

        Raises:
            GraphCompilationError: there is no start, or more than one.
            UnknownOptionError: there is no such option; it is a `TypeError`.
            ConfigError: a value is out of range, or a task asks for what can't be honoured.
        """
        from graflow_fast.core.engine import WorkflowEngine

        try:
            settings = self.settings.merged(options, _BESIDE)
            return WorkflowEngine().plan(self._prepare(start_node, max_steps, None, settings))
        except GraflowError as error:
            show_user_lines(error)
            raise

    def resume(
        self,
        path: str | os.PathLike[str] | None = None,
        run: str | None = None,
        changed: str = "warn",
        ret_context: bool = False,
        **options: Any,
    ) -> Any:
        """Go on with a durable run that was killed or has failed, and return what `execute` would have returned.

        What is done is not run again. A run that has failed goes on at the tasks that failed, with today's code.

        Args:
            path: the store of runs, also as ``durable=``; default: the usual one.
            run: the run's name; default: the latest of this workflow that is unfinished or has failed.
            changed: what to do when a task that is done has other code now: ``"warn"`` or ``"refuse"``.
            ret_context: return (result, `ExecutionContext`) instead.
            **options: those of `execute`.

        Raises:
            JournalMismatchError: the workflow lacks tasks or edges that the run had.
            GraflowRuntimeError: there is no such run, another process has it, or a task failed.
        """
        from graflow_fast.core.engine import WorkflowEngine

        try:
            store = options.get("durable", True) if path is None else path
            options = {**options, "durable": store, "run": run, "changed": changed}
            settings = self.settings.merged(options, _BESIDE)
            settings.resumes = True
            context = self._prepare(None, None, None, settings)
            result = WorkflowEngine().execute(context)
        except GraflowError as error:
            show_user_lines(error)
            raise
        return (result, context) if ret_context else result

    def start(
        self,
        start_node: str | None = None,
        max_steps: int | None = None,
        ret_context: bool = False,
        initial_channel: dict[str, Any] | None = None,
        **options: Any,
    ) -> WorkflowRun:
        """Begin to run the workflow, in a thread of its own, and return a handle on the run at once.

        The arguments are those of `execute`. A workflow has one such run at a time: its tasks and edges are shared.

        Raises:
            GraflowRuntimeError: another run of the workflow is under way, or this is a worker process.
            GraphCompilationError: there is no start, or more than one.
            UnknownOptionError: there is no such option; it is a `TypeError`.
            ConfigError: a value is out of range.
        """
        from graflow_fast.core.workflow_run import refuse_in_worker

        try:
            refuse_in_worker(self.name)
        except GraflowError as error:
            show_user_lines(error)
            raise
        return self._start(start_node, max_steps, ret_context, initial_channel, **options)

    def _start(
        self,
        start_node: str | None,
        max_steps: int | None,
        ret_context: bool,
        initial_channel: dict[str, Any] | None,
        **options: Any,
    ) -> WorkflowRun:
        """Begin to run the workflow, for somebody who waits for the run before anything else ends."""
        from graflow_fast.core.engine import WorkflowEngine

        try:
            self._refuse_second_run()
            settings = self.settings.merged(options, _BESIDE)
            context = self._prepare(start_node, max_steps, initial_channel, settings)
            started = WorkflowEngine().start(context, with_context=ret_context)
        except GraflowError as error:
            show_user_lines(error)
            raise
        self._started = started._future
        return started

    async def aexecute(
        self,
        start_node: str | None = None,
        max_steps: int | None = None,
        ret_context: bool = False,
        initial_channel: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Run the workflow while the event loop goes on, and return what `execute` would: ``await wf.aexecute()``.

        The arguments and errors are those of `execute`. When the task that awaits it is cancelled, so is the run.
        """
        from graflow_fast.core.awaiting import result_of

        return await result_of(self._start(start_node, max_steps, ret_context, initial_channel, **options))

    def astream(self, start_node: str | None = None, **options: Any) -> AsyncGenerator[Any, None]:
        """Yield what `stream` yields while the event loop goes on: ``async for result in wf.astream()``.

        When the task that awaits a result is cancelled, so is the run; when the iterator is closed, it is stopped.
        """
        from graflow_fast.core.awaiting import stream_results

        return stream_results(self, start_node, options)

    def _refuse_second_run(self) -> None:
        """Say that the workflow is running already, if it is.

        Raises:
            GraflowRuntimeError: it is.
        """
        graph, started = self.graph, self._started
        if graph.is_running or (started is not None and not started.done()):
            raise GraflowRuntimeError(
                f"Workflow '{self.name}' is running already, and its runs would share their tasks. Wait for the first "
                "one (its result()), or build the workflow in a function and call that once for each run"
            )

    def stream(self, start_node: str | None = None, **options: Any) -> Generator[Any, None, None]:
        """Run the workflow and yield the results of its last ``map`` one by one, as they come.

        Closing the generator, as leaving a ``for`` loop over it does, stops the run.

        Args:
            start_node: where to start; None (default): as `execute`.
            options: those of `execute`. Results come in item order, unless the map says ``ordered=False``.

        Raises:
            GraphCompilationError: the workflow has no map.
        """
        from graflow_fast.core.mapping import stream_results

        return stream_results(self, start_node, options)

    def _prepare(
        self, start_node: str | None, max_steps: int | None, initial_channel: dict[str, Any] | None, settings: Any
    ) -> ExecutionContext:
        self.graph.forget_made()
        # A run that goes on began somewhere, which its journal knows.
        starts = [] if settings.resumes else find_starts(self, start_node, settings.schedule == "parallel")
        context = ExecutionContext.create(
            self.graph,
            starts[0] if starts else None,
            max_steps=whole(max_steps, "max_steps", lowest=0),
            tracer=self._tracer,
            prompt_manager=self._prompt_manager,
        )
        if self._agents:
            self._attach_agents(context)
        context.pending.clear()
        context.pending.extend(starts)
        context.settings = settings
        context._workflow = self
        if not isinstance(initial_channel, (Mapping, NoneType)):
            raise ConfigError(f"initial_channel={initial_channel!r} must be a mapping: a value for each key")
        for key, value in (initial_channel or {}).items():
            context.channel.set(key, value)
        return context


learn_workflow(WorkflowContext)


def workflow(name: str, tracer: Tracer | None = None, prompt_manager: Any = None, **options: Any) -> WorkflowContext:
    """Define a workflow: ``with workflow("name") as wf: a >> b; wf.execute()``.

    Args:
        name: the workflow's name.
        tracer: told of what happens; default: none.
        prompt_manager: a prompt manager of graflow's for its tasks; default: files in ``GRAFLOW_PROMPTS_DIR``.
        **options: defaults for `WorkflowContext.execute`: ``executor``, ``max_workers``, ``schedule``, ...

    Raises:
        UnknownOptionError: there is no such option; it is a `TypeError`.
        ConfigError: a value is out of range.
    """
    return WorkflowContext(name, tracer=tracer, prompt_manager=prompt_manager, **options)


def current_workflow_context() -> WorkflowContext:
    """Return the current workflow; outside of any, make one of the calling module's free tasks that have edges."""
    found = registry.current()
    if found is None:
        found = WorkflowContext(os.urandom(16).hex())
        for task in registry.free_tasks_of(found._module_globals).living():
            if task._links is not None and task._owner is None:
                registry.attach(task, found, skip_if_exists=True)
        registry.make_current(found)
    return found


def get_current_workflow_context(create_if_not_exist: bool = False) -> WorkflowContext | None:
    """Return the current workflow, None outside of any unless ``create_if_not_exist`` is true."""
    return current_workflow_context() if create_if_not_exist else registry.current()


def require_workflow_context() -> WorkflowContext:
    """Return the current workflow.

    Raises:
        GraflowRuntimeError: there is none.
    """
    found = registry.current()
    if found is None:
        raise GraflowRuntimeError("No current workflow context exists")
    return found


def set_current_workflow_context(context: WorkflowContext) -> None:
    """Make a workflow the current one: what is defined from now on belongs to it."""
    registry.make_current(context)


def clear_workflow_context() -> None:
    """Leave the current workflow: what is defined from now on belongs to none."""
    registry.make_current(None)


#: What makes an LLM agent of a run's context, and what `WorkflowContext.register_llm_agent` takes.
LLMAgentFactory = Callable[[ExecutionContext], object]
LLMAgentProvider = object
