"""Hypothesis strategies for workflow programs: small graphs with everything the language has, mixed.

Programs end: each control step acts on a bounded number of its task's runs, loops of edges leave by goto, and the few
that still multiply (a group that enqueues itself in every member) are rejected by the model's budget of attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from .program import Group, Program, Task

Draw = Callable[[st.SearchStrategy[Any]], Any]

SCALARS, LISTS, SUMS = ("k0", "k1", "k2"), ("l0", "l1"), ("+0", "+1")
FOREVER = 99

scalars, lists = st.sampled_from(SCALARS), st.sampled_from(LISTS)
values = st.sampled_from([0, 1, 2, "x", None, (1, 2)])
numbers = st.integers(0, 9)
runs = st.sampled_from([1, 1, 2, 3])

plain_steps = st.one_of(
    st.builds(lambda n: ("print", n), numbers),
    st.builds(lambda k, v: ("set", k, v), scalars, values),
    st.builds(lambda k, n: (("append", "prepend")[n % 2], k, n), lists, numbers),
    st.builds(lambda k: ("read", k), st.sampled_from(SCALARS + LISTS)),
    st.builds(lambda k: ("delete", k), st.sampled_from(SCALARS + LISTS)),
    st.builds(lambda k: ("set", k, (7,)), lists),
    st.builds(lambda k: ("count", k), st.sampled_from(("c0", "c1"))),
    st.builds(lambda k, n: ("add", k, n), st.sampled_from(SUMS), numbers),
    st.sampled_from([("keys",), ("counters",)]),
)
returned = st.sampled_from([None, 1, 2, "done", ("read", "k0"), ("read", "l0"), ("read", "c0")])
retries = st.sampled_from([0, 0, 0, 1, 2])


@st.composite
def leaves(draw: Any, label: str) -> Task:
    """A task without directives: what bodies create at run time."""
    steps = draw(st.lists(plain_steps, max_size=2))
    if draw(numbers) == 9:
        steps.append(("fail", "leaf", 0, draw(st.sampled_from([1, FOREVER]))))
    return Task(label, tuple(steps), draw(returned), draw(retries))


@st.composite
def fragments(draw: Any) -> tuple[Any, ...]:
    """A leaf, a chain of leaves, a group, or a chain around a group."""
    a, b, c, d = (("task", draw(leaves(label)).plain()) for label in "abcd")
    group = ("group", "g", (b, ("chain", (c, d))), draw(st.sampled_from(["strict", "best_effort"])))
    shapes = [a, a, ("chain", (a, b)), group, ("chain", (a, group)), ("chain", (group, a))]
    shape: tuple[Any, ...] = draw(st.sampled_from(shapes))
    return shape


@st.composite
def control_steps(draw: Any, names: list[str]) -> tuple[Any, ...]:
    """One directive or failure, active on the first few runs of its task."""
    kind = draw(st.sampled_from(CONTROL))
    last = draw(runs)
    if kind == "next":
        return ("next", draw(st.sampled_from(names)), False, 0, last)
    if kind == "goto":
        return ("next", draw(st.sampled_from(names)), True, 0, last)
    if kind == "spawn":
        return ("next", draw(fragments()), draw(numbers) > 7, 0, last)
    if kind == "share":
        alone = ("task", draw(leaves("a")).plain())
        return ("share", alone if draw(numbers) < 8 else draw(fragments()), draw(numbers) > 7, 0, last)
    if kind == "iterate":
        return ("iterate", draw(st.sampled_from([None, None, 5])), 0, last)
    if kind == "fail":
        return ("fail", "boom", 0, draw(st.sampled_from([1, 1, 2, FOREVER])))
    first = draw(st.sampled_from([0, 0, 1]))
    return (kind, f"{kind} it", first, FOREVER)


CONTROL = ["goto"] * 4 + ["spawn"] * 3 + ["share"] * 4 + ["fail"] * 4 + ["iterate"] * 3 + ["next"] * 3
CONTROL += ["terminate", "cancel"]


class Layout:
    """The shape of a program while it is drawn: nodes without scripts yet, groups, edges, loops."""

    def __init__(self, draw: Draw, tasks: int) -> None:
        self.draw, self.left = draw, tasks
        self.nodes: list[str | Group] = []
        self.edges: list[tuple[str, str]] = []
        self.exits: dict[str, tuple[Any, ...]] = {}  # a task that closes a loop -> the goto that leaves it
        self.tasks = self.groups = 0

    def part(self, depth: int) -> str:
        """A task or, as long as there is room, a group."""
        if depth and self.left >= 2 and self.draw(numbers) > 5:
            return self.group(depth)
        self.left -= 1
        self.tasks += 1
        self.nodes.append(f"t{self.tasks - 1}")
        return f"t{self.tasks - 1}"

    def group(self, depth: int) -> str:
        """A group of two to four members, each the head of a small graph of its own."""
        self.left -= 2
        members = [self.graph(depth - 1, 3) for _ in range(self.draw(st.integers(2, 4)))]
        policies = ["strict", "strict", "best_effort", ("at_least", 1), ("at_least", 2), ("critical", (members[0],))]
        self.groups += 1
        self.nodes.append(Group(f"g{self.groups - 1}", tuple(members), self.draw(st.sampled_from(policies))))
        return f"g{self.groups - 1}"

    def graph(self, depth: int, most: int) -> str:
        """A few parts, each behind some of those before it (or, rarely, behind none); the first is the head."""
        parts = [self.part(depth)]
        while self.left > 0 and len(parts) < most and self.draw(numbers) > 2:
            before = self.draw(st.lists(st.integers(0, len(parts) - 1), max_size=3, unique=True))
            before = before or ([len(parts) - 1] if self.draw(numbers) < 8 else [])
            part = self.part(depth)
            self.edges += [(parts[i], part) for i in before]
            parts.append(part)
        if len(parts) > 1 and self.draw(numbers) == 9:
            self.loop(parts)
        return parts[0]

    def loop(self, parts: list[str]) -> None:
        """An edge back, and a goto that leaves the loop after a few rounds."""
        last = self.draw(st.integers(1, len(parts) - 1))
        source, target = parts[last], parts[self.draw(st.integers(0, last - 1))]
        if source.startswith("t") and (source, target) not in self.edges:
            self.edges.append((source, target))
            beyond = self.draw(st.sampled_from([*parts[last + 1 :], ("task", Task("out", (("print", 0),)).plain())]))
            self.exits[source] = ("next", beyond, True, self.draw(st.integers(1, 2)), FOREVER)


@st.composite
def programs(draw: Any, most: int = 9) -> Program:
    """A whole program of up to `most` or so tasks, groups nested up to two deep."""
    layout = Layout(draw, draw(st.integers(2, most)))
    head = layout.graph(2, most * 2 // 3)
    names = [node.id if isinstance(node, Group) else node for node in layout.nodes]
    nodes = [node if isinstance(node, Group) else draw(scripted(node, names, layout)) for node in layout.nodes]
    limit = draw(st.integers(1, 8)) if draw(st.integers(0, 24)) == 24 else None
    pace = draw(st.integers(1, 2**32)) if draw(numbers) == 9 else 0
    return Program(tuple(nodes), tuple(layout.edges), head, limit, pace)


@st.composite
def scripted(draw: Any, name: str, names: list[str], layout: Layout) -> Task:
    """A task with a script: some channel traffic, and in half of the tasks a directive or failure."""
    steps = draw(st.lists(plain_steps, max_size=3))
    if draw(numbers) == 9:
        steps.append(("result", draw(st.sampled_from(names))))
    if draw(numbers) > 5:
        steps.append(draw(control_steps(names)))
        if draw(numbers) > 7:
            steps.insert(0, draw(control_steps(names)))
    if name in layout.exits:
        steps.append(layout.exits[name])
    tries = draw(retries)
    delay = 0.001 if tries and draw(numbers) == 9 else 0.0
    cycles = draw(st.sampled_from([1, 2, 3])) if draw(numbers) == 9 else None
    return Task(name, tuple(steps), draw(returned), tries, delay, cycles)
