"""Random workflow programs: small graphs with everything the language has, mixed.

Programs end: each control step acts on a bounded number of its task's runs, loops of edges leave by goto, and the few
that still multiply (a group that enqueues itself in every member) are rejected by the model's budget of attempts.
Owns graphs and what programs have; scripts and functions are `generating_bodies`'.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .generating_bodies import FOREVER, FORMS, SEEING, Kinds, items, one_in, policy, scripted
from .program import Group, Map, Node, Pairs, Program, Task

#: The functions that a program has: all kinds, or only one or two.
SELECTIONS = [FORMS, FORMS, ("context",), ("context",), ("both", "plain"), FORMS[4:], FORMS[2:4]]


class Layout:
    """The shape of a program while it is drawn: nodes without scripts yet, groups, edges, loops."""

    def __init__(self, random: Random, tasks: int, maps: bool = False) -> None:
        self.random, self.left, self.with_maps = random, tasks, maps
        self.nodes: list[str | Group] = []
        self.edges: list[tuple[str, str]] = []
        self.exits: dict[str, tuple[Any, ...]] = {}  # a task that closes a loop -> the goto that leaves it
        self.tasks = self.groups = self.maps = 0

    def part(self, depth: int) -> str:
        """A task or, as long as there is room, a map or a group."""
        if depth and self.left >= 2 and self.random.random() < 0.4:
            return self.group(depth)
        self.left -= 1
        if self.with_maps and self.random.random() < 0.3:
            self.maps += 1
            name = f"m{self.maps - 1}"
        else:
            self.tasks += 1
            name = f"t{self.tasks - 1}"
        self.nodes.append(name)
        return name

    def group(self, depth: int) -> str:
        """A group of two to four members, each the head of a small graph of its own."""
        self.left -= 2
        members = [self.graph(depth - 1, 3) for _ in range(self.random.randint(2, 4))]
        self.groups += 1
        self.nodes.append(Group(f"g{self.groups - 1}", tuple(members), policy(self.random, members[0])))
        return f"g{self.groups - 1}"

    def graph(self, depth: int, most: int) -> str:
        """A few parts, each behind some of those before it (or, rarely, behind none); the first is the head."""
        parts = [self.part(depth)]
        while self.left > 0 and len(parts) < most and self.random.random() < 0.7:
            before = self.random.sample(range(len(parts)), min(len(parts), self.random.choice((0, 1, 1, 2, 3))))
            before = before or ([len(parts) - 1] if self.random.random() < 0.8 else [])
            part = self.part(depth)
            self.edges += [(parts[i], part) for i in before]
            parts.append(part)
        if len(parts) > 1 and one_in(self.random, 10):
            self.loop(parts)
        return parts[0]

    def loop(self, parts: list[str]) -> None:
        """An edge back, and a goto that leaves the loop after a few rounds."""
        last = self.random.randint(1, len(parts) - 1)
        source, target = parts[last], parts[self.random.randint(0, last - 1)]
        if source.startswith("t") and (source, target) not in self.edges:
            self.edges.append((source, target))
            beyond = self.random.choice([*parts[last + 1 :], ("task", Task("out", (("print", 0),)).plain())])
            self.exits[source] = ("next", beyond, True, self.random.randint(1, 2), FOREVER)

    def names(self) -> list[str]:
        """All nodes, in order of definition."""
        return [node.id if isinstance(node, Group) else node for node in self.nodes]


def generate(random: Random, most: int = 9) -> Program:
    """A whole program of up to `most` or so tasks, groups nested up to two deep."""
    if one_in(random, 8):
        return generate_parallel(random, most)
    layout = Layout(random, random.randint(2, most), one_in(random, 4))
    head = layout.graph(2, most * 2 // 3)
    kinds = kinds_of_bodies(random, layout.names())
    nodes = tuple(node_of(random, node, kinds, layout) for node in layout.nodes)
    limit = random.randint(1, 8) if one_in(random, 25) else None
    pace = random.randint(1, 2**32) if one_in(random, 10) else 0
    options = run_options(random, nodes)
    return Program(nodes, tuple(layout.edges), head, limit, pace, options, one_in(random, 10))


def generate_parallel(random: Random, most: int) -> Program:
    """A graph for `schedule="parallel"`: what a task does depends on its predecessors' results and nothing else."""
    layout = Layout(random, random.randint(2, most), one_in(random, 4))
    for _ in range(random.choice([1, 1, 2, 3])):
        if layout.left > 0:
            layout.graph(1, most)
    order = {name: index for index, name in enumerate(layout.names())}
    layout.edges = [(source, target) for source, target in layout.edges if order[source] < order[target]]
    layout.exits.clear()
    kinds = kinds_of_bodies(random, [])
    nodes: list[Node] = []
    for node in layout.nodes:
        name = node.id if isinstance(node, Group) else node
        before = tuple(source for source, target in layout.edges if target == name and not source.startswith("g"))
        nodes.append(node_of(random, node, kinds.among(before), layout))
    options = [*run_options(random, tuple(nodes)), ("schedule", "parallel")]
    if one_in(random, 4):
        options.append(("max_concurrency", random.choice([1, 2])))
    return Program(tuple(nodes), tuple(layout.edges), None, None, 0, tuple(options), one_in(random, 10))


def kinds_of_bodies(random: Random, names: list[str]) -> Kinds:
    """What the bodies of a program may be and do; most programs leave out most of it."""
    return Kinds(
        names=tuple(names),
        forms=random.choice(SELECTIONS),
        says=one_in(random, 6),
        says_below=one_in(random, 5),
        clears=one_in(random, 12),
        objects=one_in(random, 5),
        slots=one_in(random, 5),
        limits=one_in(random, 8),
        fails=random.random() < 0.7,
        directs=random.random() < 0.7,
    )


def run_options(random: Random, nodes: tuple[Node, ...]) -> Pairs:
    """What `execute` is given besides the executor; rarely anything."""
    options: list[tuple[str, Any]] = []
    if one_in(random, 20):
        options.append(("output", "live"))
    if one_in(random, 20) and not reads_results(nodes):
        options.append(("keep_results", random.choice(["needed", "none"])))
    if "'handler'" not in repr(nodes) and one_in(random, 20):  # some handlers can't stop a body
        options.append(random.choice([("timeout", 120.0), ("memory_limit", "8GB")]))
    return tuple(options)


def reads_results(nodes: tuple[Node, ...]) -> bool:
    """Whether anything looks at the result of a task that it does not follow at once."""
    program = Program(nodes)
    names = {node.id for node in nodes}
    named = any(isinstance(node, Map) and isinstance(node.items, str) for node in nodes)
    return named or program.uses("result") or any(each[0] in names for t in program.tasks() for each in t.parameters)


def node_of(random: Random, node: str | Group, kinds: Kinds, layout: Layout) -> Node:
    """The node of a layout with a script, or a map with items."""
    if isinstance(node, Group):
        return node
    if not node.startswith("m"):
        return scripted(random, node, kinds, layout.exits.get(node))
    task = scripted(random, f"of_{node}", kinds, None, True)
    before = [source for source, target in layout.edges if target == node and not source.startswith("g")]
    given = random.choice([None, None, *before]) if before and random.random() < 0.5 else items(random)
    return Map(node, task, given, policy(random), random.choice([None, None, 1, 2]))


__all__ = ["SEEING", "generate"]
