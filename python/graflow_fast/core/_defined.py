"""The tasks and edges of a workflow: added, renamed, removed and looked at.

Owns the graph and the numbers in names of groups. Must not know how a workflow runs.
"""

from __future__ import annotations

from graflow_fast.core import registry
from graflow_fast.core.graph import TaskGraph
from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable


class Defined:
    """The part of `WorkflowContext` that is defined."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.graph = TaskGraph()
        self._group_counter = 0
        self._agents: dict[str, Any] = {}
        self._module_globals = registry.calling_globals()
        self.graph.find_free = self.find_free_task

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
        """Register an LLM agent for each run: the agent, or a function that makes it of the run's context.

        Args:
            name: what tasks call it: ``@task(inject_llm_agent=name)``.
            agent_or_factory: in a worker process an agent is a copy; one that can't be copied is made there by the
                function.
        """
        self._agents[name] = agent_or_factory

    def _attach_agents(self, context: ExecutionContext) -> None:
        """Give a new run its agents.

        Raises:
            ConfigError: graflow is not installed.
            TypeError: something that was registered is neither an agent nor makes one.
        """
        from graflow_fast.core.services import attach_agent

        for name, agent in self._agents.items():
            attach_agent(context, name, agent)

    def set_redis_client(self, redis_client: Any) -> None:
        """Refuse: Redis belongs to ``graflow``."""
        raise ConfigError("Redis is not part of graflow_fast; executor='process' uses worker processes on this machine")

    def find_free_task(self, name: str) -> Executable | None:
        """Return the task of that name that the workflow's module defines outside of any workflow, if there is one."""
        return registry.free_tasks_of(self._module_globals).find(name)

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
