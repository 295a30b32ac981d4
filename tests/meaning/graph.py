"""The graph of a program while the reference model runs it: nodes, edges, loops, and what is added at run time.

Part of the reference model; knows nothing of queues, values or what has run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .program import Group, Node, Program, Task
from .state import Branch


class Graph:
    """Nodes by key, edges in order, and what each branch calls them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        # A node of the program has its name as its key; those made in a branch have keys of their own.
        self.nodes: dict[str, Node] = {node.id: node for node in program.nodes}
        self.edges: list[tuple[str, str]] = []
        for edge in program.edges:
            self.add_edge(*edge)

    def successors(self, node: str) -> list[str]:
        return [target for source, target in self.edges if source == node]

    def predecessors(self, node: str) -> list[str]:
        return [source for source, target in self.edges if target == node]

    def add_edge(self, source: str, target: str) -> None:
        if (source, target) not in self.edges:
            self.edges.append((source, target))

    def known(self, branch: Branch | None, name: str) -> str | None:
        """The node that a name stands for in a branch: its own, or one that was made around it before it started."""
        while branch is not None:
            if name in branch.names:
                return branch.names[name]
            branch = branch.parent
        return name if name in self.nodes else None

    def attach(self, branch: Branch, target: Any, prefix: str) -> tuple[str, Task | None]:
        """The node that is meant, and the task to run there if it is not the node's own."""
        if isinstance(target, str):
            return target, None
        if target[0] == "task":
            task = Task(prefix + target[1][0], *target[1][1:])
            node = self.known(branch, task.id)
            return (self.define(branch, task), None) if node is None else (node, task)
        return self.place(branch, target, prefix)[0], None

    def define(self, branch: Branch, node: Node) -> str:
        """Make a node; its name stands for it, if it stands for no other."""
        key = f"{node.id}#{len(self.nodes)}"
        if self.known(branch, node.id) is None:
            branch.names[node.id] = key
        self.nodes[key] = node
        return key

    def place(self, branch: Branch, part: Any, prefix: str) -> tuple[str, str]:
        """Put a part into the graph: its first and its last node."""
        if part[0] == "task":
            key = self.define(branch, Task(prefix + part[1][0], *part[1][1:]))
            return key, key
        if part[0] == "group":
            heads = [self.place(branch, member, prefix)[0] for member in part[2]]
            policy = ("critical", tuple(prefix + m for m in part[3][1])) if part[3][0] == "critical" else part[3]
            key = self.define(branch, Group(prefix + part[1], tuple(heads), policy))
            return key, key
        ends = [self.place(branch, inner, prefix) for inner in part[1]]
        for (_, last), (first, _) in pairwise(ends):
            self.add_edge(last, first)
        return ends[0][0], ends[-1][1]

    def closure(self, start: set[str]) -> set[str]:
        """All that can be reached by edges from `start`, itself included."""
        found, todo = set(start), list(start)
        while todo:
            for successor in self.successors(todo.pop()):
                if successor not in found:
                    found.add(successor)
                    todo.append(successor)
        return found

    def in_loop(self, source: str, target: str) -> bool:
        """Whether an edge lies inside a loop: its source can be reached back from its target."""
        return source in self.closure({target})

    def loop(self, node: str) -> list[str]:
        """The nodes that can be reached from a node and reach it back, in order of definition; at least itself."""
        return [other for other in self.nodes if other in self.closure({node}) and node in self.closure({other})]


def roots(program: Program) -> list[str]:
    """The nodes without predecessors that are no members; tasks without any edge only if there is nothing else."""
    groups = [node for node in program.nodes if isinstance(node, Group)]
    members = {member for group in groups for member in group.members}
    targets = {target for _, target in program.edges}
    starting = {source for source, _ in program.edges} | {group.id for group in groups}
    free = [node.id for node in program.nodes if node.id not in members | targets]
    return [name for name in free if name in starting] if program.edges or groups else free
