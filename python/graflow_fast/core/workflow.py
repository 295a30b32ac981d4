"""`workflow(...)`: the scope in which tasks are defined, composed and executed.

Running is `graflow_fast.core.engine`'s.
"""

from __future__ import annotations

import contextvars
import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graflow_fast._extras import without
from graflow_fast._hints import did_you_mean
from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core import registry
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.engine import WorkflowEngine
from graflow_fast.core.graph import TaskGraph
from graflow_fast.exceptions import ConfigError, GraflowError, GraflowRuntimeError, GraphCompilationError

if TYPE_CHECKING:
    from graflow_fast.core.task import Executable
    from graflow_fast.trace.base import Tracer


class WorkflowContext:
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
        executor: str | None = None,
        max_workers: int | None = None,
        schedule: str = "sequential",
        max_concurrency: int | None = None,
        output: str = "ordered",
        **options: Any,
    ) -> None:
        from graflow_fast._run.settings import Settings

        if prompt_manager is not None:
            raise ConfigError("prompt_manager is not part of graflow_fast; use graflow for prompts")
        self.name = name
        self.graph = TaskGraph()
        self.settings = Settings.of_workflow(
            executor=executor,
            max_workers=max_workers,
            schedule=schedule,
            max_concurrency=max_concurrency,
            output=output,
            **options,
        )
        self._tracer = tracer
        self._group_counter = 0
        self._tokens: list[tuple[contextvars.Token[WorkflowContext | None], Any]] = []
        self._module_globals = registry.calling_globals()
        self.graph.find_free = self.find_free_task

    def __getstate__(self) -> dict[str, Any]:
        # A body may name its workflow; what crosses is the definition, not the place where it is being made.
        return {**self.__dict__, "_tokens": [], "_module_globals": {}, "_tracer": None}

    def __enter__(self) -> WorkflowContext:
        # A workflow defined inside a running body takes the definitions that follow: the body steps aside until exit.
        self._tokens.append((registry.current_workflow.set(self), registry.running.task_context))
        registry.running.task_context = None
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._tokens:
            token, registry.running.task_context = self._tokens.pop()
            registry.current_workflow.reset(token)

    # --- definition

    def add_node(self, name: str, task: Executable, skip_if_exists: bool = False) -> None:
        """Add a task under a name.

        Raises:
            DuplicateTaskError: the name is taken, unless ``skip_if_exists`` is true.
        """
        self.graph.add_node(task, name, skip_if_exists=skip_if_exists)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Let ``to_node`` run after ``from_node``."""
        self.graph.add_edge(from_node, to_node)

    def rename_node(self, old_task_id: str, new_task_id: str) -> None:
        """Rename a node in the graph."""
        self.graph.rename_node(old_task_id, new_task_id)

    def get_next_group_name(self) -> str:
        """Return the next of ``ParallelGroup_1``, ``ParallelGroup_2``, ..."""
        self._group_counter += 1
        return f"ParallelGroup_{self._group_counter}"

    def clear(self) -> None:
        """Remove all tasks and edges."""
        self.graph.clear()
        self._group_counter = 0

    def register_llm_agent(self, name: str, agent_or_factory: Any) -> None:
        """Refuse: LLM agents belong to ``graflow``."""
        raise ConfigError(f"register_llm_agent({name!r}) is not part of graflow_fast; use graflow for LLM agents")

    def set_redis_client(self, redis_client: Any) -> None:
        """Refuse: Redis belongs to ``graflow``."""
        raise ConfigError("Redis is not part of graflow_fast; executor='process' uses worker processes on this machine")

    def find_free_task(self, name: str) -> Executable | None:
        """Return the task of that name that the workflow's module defines outside of any workflow, if there is one."""
        return registry.free_tasks_of(self._module_globals).find(name)

    # --- running

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
            **options: ``executor`` (``"auto"``, ``"inline"``, ``"thread"``, ``"process"``), ``max_workers``,
                ``schedule`` (``"sequential"``, ``"parallel"``), ``max_concurrency``, ``output`` (``"ordered"``,
                ``"live"``), ``timeout``, ``memory_limit``, ``keep_results`` (``"all"``, ``"needed"``, ``"none"``);
                each default: the workflow's own.

        Raises:
            GraphCompilationError: there is no start, or more than one.
            UnknownOptionError: there is no such option; it is a `TypeError`.
            ConfigError: a value is out of range.
            GraflowRuntimeError: a task failed; ``__cause__`` is its exception.
        """
        try:
            settings = self.settings.merged(options, ("start_node", "max_steps", "ret_context", "initial_channel"))
            context = self._prepare(start_node, max_steps, initial_channel, settings)
            result = WorkflowEngine().execute(context)
        except GraflowError as error:
            show_user_lines(error)
            raise
        return (result, context) if ret_context else result

    def stream(self, start_node: str | None = None, **options: Any) -> Iterator[Any]:
        """Run the workflow and yield the results of its last ``map`` one by one, as they come."""
        from graflow_fast.core.mapping import stream_results

        return stream_results(self, start_node, options)

    def _prepare(
        self, start_node: str | None, max_steps: int | None, initial_channel: dict[str, Any] | None, settings: Any
    ) -> ExecutionContext:
        starts = self._find_starts(start_node, settings.schedule == "parallel")
        context = ExecutionContext.create(
            self.graph,
            starts[0],
            max_steps=max_steps,
            tracer=self._tracer,
        )
        context.pending.clear()
        context.pending.extend(starts)
        context.settings = settings
        context._workflow = self
        for key, value in (initial_channel or {}).items():
            context.channel.set(key, value)
        return context

    def _find_starts(self, start_node: str | None, all_roots: bool) -> list[str]:
        if start_node is not None:
            if not isinstance(start_node, str):
                name = getattr(start_node, "task_id", None)
                hint = f"execute({name!r})" if isinstance(name, str) else f"not {type(start_node).__name__}"
                raise GraphCompilationError(f"start_node takes the id of a task: {hint}")
            if not self.graph.has_node(start_node):
                free = self.find_free_task(start_node)
                if free is None:
                    raise GraphCompilationError(
                        f"Start node '{start_node}' is neither in workflow '{self.name}' nor a task of the module that "
                        f"built it. {self._names_for(start_node)}"
                    )
                registry.attach(free, self, skip_if_exists=True)
            return [start_node]
        if not self.graph.nodes:
            return [self._adopt_only_task()]
        roots = self.graph.get_start_nodes()
        if len(roots) == 1 or (roots and all_roots):
            return roots
        if roots:
            raise GraphCompilationError(
                f"Multiple start nodes found, please specify one: {', '.join(sorted(roots))} "
                f"(execute(start_node=...), or schedule='parallel' to start all)"
            )
        raise GraphCompilationError(
            f"No start node specified and no nodes with no predecessors found in workflow '{self.name}': "
            "every task follows another one (a cycle needs execute(start_node=...))"
        )

    def _names_for(self, name: str) -> str:
        """Return the tasks that a name which is none may have meant."""
        free = [task.task_id for task in registry.free_tasks_of(self._module_globals).living()]
        names = list(dict.fromkeys([*self.graph.nodes, *self.graph.member_ids(), *free]))
        if hint := did_you_mean(name, names):
            return hint
        return f"There are: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "It has no tasks."

    def _adopt_only_task(self) -> str:
        """An empty workflow runs the one task of its module that no workflow has used."""
        candidates = self._unused_tasks()
        if len(candidates) > 1:
            gc.collect()  # tasks of finished functions may linger in reference cycles
            candidates = self._unused_tasks()
        if len(candidates) > 1:
            frame = registry.calling_frame()
            visible = {id(value) for value in (*frame.f_locals.values(), *frame.f_globals.values())}
            candidates = [task for task in candidates if id(task) in visible] or candidates
        if len(candidates) != 1:
            names = ", ".join(sorted(task.task_id for task in candidates))
            found = f"there are several that no workflow has used: {names}" if names else "there is none"
            raise GraphCompilationError(
                f"Workflow '{self.name}' is empty. It would adopt the one unused task of its module, but {found}"
            )
        registry.attach(candidates[0], self, skip_if_exists=True)
        return candidates[0].task_id

    def _unused_tasks(self) -> list[Executable]:
        living = registry.free_tasks_of(self._module_globals).living()
        return [task for task in living if task._owner is None and not task.is_template]

    # --- looking at it

    def show_info(self) -> None:
        """Print the graph as a drawing, and its cycles."""
        print(f"=== Workflow '{self.name}' Information ===")
        print(self.graph)
        cycles = self.graph.detect_cycles()
        print(f"Cycles detected: {cycles}" if cycles else "No cycles detected")

    def visualize_dependencies(self) -> None:
        """Print each node with what follows it."""
        print(f"=== Workflow '{self.name}' Dependencies ===")
        for node in self.graph.nodes:
            successors = self.graph.successors(node)
            print(f"{node} >> {' >> '.join(successors)}" if successors else f"{node} (no dependencies)")


def workflow(name: str, tracer: Tracer | None = None, prompt_manager: Any = None, **options: Any) -> WorkflowContext:
    """Define a workflow: ``with workflow("name") as wf: a >> b; wf.execute()``.

    Args:
        name: the workflow's name.
        tracer: told of what happens; default: none.
        prompt_manager: refused; prompts belong to ``graflow``.
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


__getattr__ = without(
    __name__, LLMAgentFactory="use graflow for LLM agents", LLMAgentProvider="use graflow for LLM agents"
)
