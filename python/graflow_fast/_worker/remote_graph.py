"""The run's graph as a body in a worker sees it: questions go to the coordinator, changes travel as directives.

Owns what this body has added; knows nothing of how the coordinator answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graflow_fast._hints import with_hint
from graflow_fast.core import registry
from graflow_fast.core.graph import EdgeView, NodeView, TaskGraph
from graflow_fast.core.task import Executable, TaskReference
from graflow_fast.exceptions import DuplicateTaskError

#: What a reference to a task says of it.
DESCRIBED = ("handler_type", "inject_context", "max_cycles", "max_retries", "resolve_keyword_args")


class RemoteGraph:
    """The run's graph: asking for a node gives a reference to it, for ``next_task`` and edges.

    Args:
        ask: asks the coordinator a question and returns its answer.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._asked = ask
        #: What this body has added, which the coordinator learns with its result.
        self._new_nodes: dict[str, Executable] = {}
        self._new_edges: dict[tuple[str, str], None] = {}

    def get_node(self, task_id: str) -> Executable:
        """Return a reference to a task of the graph, or a task that this body has added.

        Raises:
            KeyError: there is no such task.
        """
        if task_id in self._new_nodes:
            return self._new_nodes[task_id]
        described = self._ask("describe", task_id)
        if described is None:
            raise with_hint(KeyError(f"Task {task_id} not found in graph"), task_id, self._names())
        reference = TaskReference(task_id)
        for name, value in described.items():
            setattr(reference, name, value)
        return reference

    def has_node(self, task_id: str) -> bool:
        """Say whether the graph has a task of that name."""
        return task_id in self._new_nodes or bool(self._ask("has_node", task_id))

    def add_node(self, task: Executable, task_id: str | None = None, skip_if_exists: bool = False) -> None:
        """Add a task to the graph of the run, when this body has returned.

        Raises:
            DuplicateTaskError: the name is taken, unless ``skip_if_exists`` is true.
        """
        name = task.task_id if task_id is None else task_id
        if self.has_node(name):
            if skip_if_exists:
                return
            raise DuplicateTaskError.in_graph(name)
        self._new_nodes[name] = task
        registry.running.task_context.change_graph("node", name, task)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Let ``to_node`` run after ``from_node``, from when this body has returned."""
        self._new_edges[from_node, to_node] = None
        registry.running.task_context.change_graph("edge", from_node, to_node)

    @property
    def nodes(self) -> NodeView:
        """The nodes by name, in the order they were added; each task is a reference."""
        return NodeView({name: self._new_nodes.get(name) or TaskReference(name) for name in self._names()})

    @property
    def edges(self) -> EdgeView:
        """All edges as (from, to)."""
        return EdgeView(self.get_edges())

    def get_edges(self) -> list[tuple[str, str]]:
        """Return all edges as (from, to)."""
        return list(dict.fromkeys([*self._ask("get_edges"), *self._new_edges]))

    def successors(self, node: str) -> list[str]:
        """Return what follows a node."""
        new = [target for source, target in self._new_edges if source == node]
        return list(dict.fromkeys([*self._ask("successors", node), *new]))

    def predecessors(self, node: str) -> list[str]:
        """Return what a node follows."""
        new = [source for source, target in self._new_edges if target == node]
        return list(dict.fromkeys([*self._ask("predecessors", node), *new]))

    def get_start_nodes(self) -> list[str]:
        """Return the nodes that can start a run."""
        found: list[str] = self._ask("get_start_nodes")
        return found

    def get_parallel_group_members(self, group_id: str) -> list[str]:
        """Return a group's members."""
        found: list[str] = self._ask("get_parallel_group_members", group_id)
        return found

    def detect_cycles(self) -> list[list[str]]:
        """Return the elementary cycles, each as the list of its nodes. Needs the extra ``graph``."""
        return self._copy().detect_cycles()

    def nx_graph(self) -> Any:
        """Return a networkx ``DiGraph`` of the graph, its tasks as references. Needs the extra ``graph``."""
        return self._copy().nx_graph()

    def __str__(self) -> str:
        return str(self._ask("draw"))

    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self._ask("nodes"), *self._new_nodes]))

    def _copy(self) -> TaskGraph:
        copy = TaskGraph()
        for name, node in self.nodes.items():
            copy.add_node(node["task"], name)
        for edge in self.get_edges():
            copy.add_edge(*edge)
        return copy

    def _ask(self, method: str, *arguments: Any) -> Any:
        return self._asked("graph", method, arguments)
