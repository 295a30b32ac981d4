"""Makes a failing program small: drops nodes, edges, steps and options as long as it still fails in some way.

Hypothesis shrinks the choices behind a program; shrinking the program itself reaches further, because a node and all
that mentions it go in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .program import Group, Map, Node, Program, Step, Task


def minimize(program: Program, fails: Callable[[Program], bool], attempts: int = 3000) -> Program:
    """The smallest program on the way down that still fails."""
    progress = True
    while progress:
        progress = False
        for candidate in smaller(program):
            attempts -= 1
            if attempts < 0:
                return program
            if fails(candidate):
                program, progress = candidate, True
                break
    return program


def smaller(program: Program) -> Iterator[Program]:
    """Every program that is one simplification away, the most drastic first."""
    for node in program.nodes:
        if len(program.nodes) > 1:
            yield from without(program, node)
    if program.traced:
        yield replace(program, traced=False)
    for option in program.options:
        yield replace(program, options=tuple(other for other in program.options if other != option))
    for i in range(len(program.edges)):
        yield replace(program, edges=program.edges[:i] + program.edges[i + 1 :])
    for node in program.nodes:
        for simpler in simpler_node(node):
            yield replace(program, nodes=tuple(simpler if n is node else n for n in program.nodes))
    if program.max_steps is not None:
        yield replace(program, max_steps=None)
    if program.pace:
        yield replace(program, pace=0)


def without(program: Program, gone: Node) -> Iterator[Program]:
    """The program without a node: its neighbours joined, then cut; a new start if it was the start."""
    name = gone.id
    nodes = [forget(node, name) for node in program.nodes if node is not gone]
    kept = tuple(node for node in nodes if not isinstance(node, Group) or node.members)
    known = {node.id for node in kept}
    apart = [edge for edge in program.edges if name not in edge]
    around = [(a, d) for a, b in program.edges for c, d in program.edges if b == c == name and a != d]
    joined = apart + [edge for edge in dict.fromkeys(around) if edge not in apart]
    heirs = [d for a, d in program.edges if a == name] + (list(gone.members) if isinstance(gone, Group) else [])
    starts: list[str | None] = [program.start]
    if program.start not in (None, *known):
        starts = [heir for heir in heirs if heir in known]
    for edges in (joined, apart):
        within = tuple((a, b) for a, b in edges if a in known and b in known)
        for start in starts:
            if heads_are_heads(kept):
                yield replace(program, nodes=kept, edges=within, start=start)


def forget(node: Node, name: str) -> Node:
    """A node that no longer mentions `name`."""
    if isinstance(node, Task):
        return replace(node, steps=tuple(step for step in node.steps if name not in step))
    if isinstance(node, Map):
        return replace(node, items=None if node.items == name else node.items)
    members = tuple(member for member in node.members if member != name)
    policy = "strict" if node.policy[0] in ("critical", "at_least") and members != node.members else node.policy
    return replace(node, members=members, policy=policy)


def heads_are_heads(nodes: tuple[Node, ...]) -> bool:
    """Whether each group's members are still there."""
    known = {node.id for node in nodes}
    return all(known.issuperset(node.members) for node in nodes if isinstance(node, Group))


def simpler_node(node: Node) -> Iterator[Node]:
    """The node with one thing less."""
    if isinstance(node, Group):
        yield from simpler_group(node)
    elif isinstance(node, Map):
        yield from simpler_map(node)
    else:
        yield from simpler_task(node)


def simpler_group(group: Group) -> Iterator[Node]:
    """The group with the default policy or one member less."""
    if group.policy != "strict":
        yield replace(group, policy="strict")
    if len(group.members) > 2:
        for member in group.members:
            yield forget(group, member)


def simpler_map(node: Map) -> Iterator[Map]:
    """The map with the default policy, an item less, or a simpler task."""
    if node.policy != "strict":
        yield replace(node, policy="strict")
    if node.chunk is not None:
        yield replace(node, chunk=None)
    if isinstance(node.items, tuple):
        for i in range(len(node.items)):
            yield replace(node, items=node.items[:i] + node.items[i + 1 :])
    for simpler in simpler_task(node.task):
        yield replace(node, task=simpler)


def simpler_task(task: Task) -> Iterator[Task]:
    """The task with less of a script, of its parameters, or fewer options."""
    for i in range(len(task.steps)):
        yield replace(task, steps=task.steps[:i] + task.steps[i + 1 :])
    for i, step in enumerate(task.steps):
        for simpler in simpler_step(step):
            yield replace(task, steps=(*task.steps[:i], simpler, *task.steps[i + 1 :]))
    for option in task.options:
        yield replace(task, options=tuple(other for other in task.options if other != option))
    for parameter in task.parameters if task.form != "imported" else ():
        if task.returns != ("argument", parameter[0]) and parameter[0] != "item":
            rest = tuple(other for other in task.parameters if other != parameter)
            yield replace(task, parameters=rest, bound=tuple(pair for pair in task.bound if pair[0] != parameter[0]))
    for simpler_options in (
        replace(task, returns=None),
        replace(task, max_retries=0),
        replace(task, delay=0.0),
        replace(task, max_cycles=None),
        replace(task, form="plain") if task.form in ("lambda", "instance", "imported") else task,
        replace(task, form="both") if task.form == "shared" else task,
    ):
        if simpler_options != task:
            yield simpler_options


def simpler_step(step: Step) -> Iterator[Step]:
    """A `next` step with a smaller fragment, or a step that acts once."""
    op, *args = step
    if op in ("next", "share") and isinstance(args[0], tuple):
        part = args[0]
        inner = part[1] if part[0] == "chain" else part[2] if part[0] == "group" else ()
        for smaller_part in inner:
            yield (op, smaller_part, *args[1:])
        if part[0] == "task":
            for simpler in simpler_task(Task(*part[1])):
                yield (op, ("task", simpler.plain()), *args[1:])
    if op in ("next", "share", "iterate", "fail", "terminate", "cancel") and tuple(args[-2:]) != (0, 1):
        yield (op, *args[:-2], 0, 1)
