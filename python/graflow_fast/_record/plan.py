"""What would run, in which order and beside what, before anything runs: `Plan`, and its words.

Owns waves, and what is known of times. The order is the real scheduler's, in virtual time (`simulation`); the graph
comes from whoever has it (`_run/planning.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from graflow_fast._record.columns import GROUP, MAP, Columns
from graflow_fast._record.figures import function_names
from graflow_fast._record.simulation import Attempt, Model, Simulation, Span
from graflow_fast._record.words import count_words, listed, seconds_words, shortened

#: So many waves are shown, from the beginning on.
_MOST_WAVES = 40


class Wave(NamedTuple):
    """Tasks that could run at the same time with workers without end.

    Attributes:
        tasks: Their names, in the order in which they would start.
        seconds: What the longest of them takes, as far as it is known; None if that of none is.
        after: The tasks and groups that they come after.
    """

    tasks: tuple[str, ...]
    seconds: float | None
    after: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run of a workflow would do, as far as its graph says; printed, it is a table of waves.

    Bodies may add tasks, jump or go round again; what they will do nobody knows, and each task is planned once.

    Attributes:
        workflow: The workflow's name.
        schedule: ``"sequential"`` or ``"parallel"``.
        workers: How many bodies may run at the same time.
        waves: What runs together with workers without end, in order.
        order: All tasks in the order in which they would start with ``workers``.
        never: Tasks and groups of the graph that no edge leads to.
        may_grow: Tasks that get a context, so may add tasks or jump.
        loops: Edges that lead back, as (from, to); they are not followed.
        expected: Seconds that the run would take; None if nothing is known of times.
        shortest: The same with workers without end.
        run: The number of the recorded run that the times are of; None if there is none.
        unknown: Functions whose times that run doesn't know; they count as nothing.
        functions: What the function of each task is called.
    """

    workflow: str
    schedule: str
    workers: int
    waves: tuple[Wave, ...]
    order: tuple[str, ...]
    never: tuple[str, ...]
    may_grow: tuple[str, ...]
    loops: tuple[tuple[str, str], ...]
    expected: float | None
    shortest: float | None
    run: int | None
    unknown: tuple[str, ...]
    functions: dict[str, str]

    def __str__(self) -> str:
        head = f"{self.workflow}: {count_words(len(self.order), 'task')}, schedule={self.schedule}"
        head += f", {count_words(self.workers, 'worker')}" if self.workers > 1 else ""
        lines = [head + (f"; times of run {self.run}" if self.run is not None else "")]
        table = [self._line(number, wave) for number, wave in enumerate(self.waves[:_MOST_WAVES], 1)]
        widths = [max(len(line[column]) for line in table) for column in range(3)] if table else []
        for number, tasks, seconds, after in table:
            cells = [number.ljust(widths[0]), tasks.ljust(widths[1]), seconds.rjust(widths[2]), after]
            lines.append(f" {'  '.join(cell for cell in cells if cell)}".rstrip())
        if len(self.waves) > _MOST_WAVES:
            lines.append(f" ... and {count_words(len(self.waves) - _MOST_WAVES, 'wave')} more")
        return "\n".join([*lines, *self._remarks()])

    def _line(self, number: int, wave: Wave) -> tuple[str, str, str, str]:
        seconds = "" if wave.seconds is None else seconds_words(wave.seconds)
        after = f"after {self._short(wave.after)}" if wave.after else ""
        return f"wave {number}", shortened(self._short(wave.tasks), 60), seconds, shortened(after, 60)

    def _short(self, tasks: Sequence[str]) -> str:
        """Names, those of one function together if they are many."""
        if len(tasks) <= 3:
            return ", ".join(tasks)
        counts: dict[str, int] = {}
        for task in tasks:
            function = self.functions.get(task) or task
            counts[function] = counts.get(function, 0) + 1
        return ", ".join(f"{function} ×{count}" if count > 1 else function for function, count in counts.items())

    def _remarks(self) -> list[str]:
        found = []
        if self.expected is not None and self.shortest is not None:
            found.append(
                f"expected {seconds_words(self.expected)}; {seconds_words(self.shortest)} with workers without end"
            )
            if self.unknown:
                found.append(f"without {listed(self.unknown)}, whose times are not known")
        if self.loops:
            back = [f"{source} > {target}" for source, target in self.loops]
            found.append(f"each task once: {listed(back)} leads back")
        if self.may_grow:
            found.append(f"may add tasks, jump or go round again: {listed(self.may_grow)}")
        if self.never:
            found.append(f"nothing leads to: {listed(self.never)}")
        return found

    def as_json(self) -> dict[str, object]:
        """The same as plain values (docs/record.md says what each means)."""
        return {
            "format": 1,
            "workflow": self.workflow,
            "schedule": self.schedule,
            "workers": self.workers,
            "waves": [wave._asdict() for wave in self.waves],
            "order": list(self.order),
            "never": list(self.never),
            "may_grow": list(self.may_grow),
            "loops": [list(edge) for edge in self.loops],
            "expected": self.expected,
            "shortest": self.shortest,
            "run": self.run,
            "unknown": list(self.unknown),
        }


class Drawn(NamedTuple):
    """What is known of a workflow that doesn't run.

    Attributes:
        model: What the scheduler has to know.
        functions: What the function of each node is called; "" for groups.
        on_worker: Whether the body of a node runs on a worker, in the workflow's own branch (False) or a member's.
        may_grow: The nodes that get a context.
        templates: The nodes that are only the definition which others were made of.
    """

    model: Model
    functions: Sequence[str]
    on_worker: Callable[[int, bool], bool]
    may_grow: Sequence[int]
    templates: Collection[int]


def plan_of(workflow: str, drawn: Drawn, workers: int, measured: Columns | None) -> Plan:
    """Plan a workflow.

    Args:
        workflow: Its name.
        drawn: What is known of it.
        workers: How many bodies may run at the same time.
        measured: A recorded run of it, None if there is none.
    """
    model, loops = _without_loops(drawn.model)
    names = model.names
    spans = _spans(model, _Guessed(drawn, lambda node: 1.0), len(names))
    times = None if measured is None else _Times(measured, names, drawn.functions)
    expected = shortest = None
    if times is not None:
        guessed = _Guessed(drawn, times.of)
        expected = Simulation(model, guessed, workers).run()
        shortest = Simulation(model, guessed, len(names)).run()
    began = {span.node for span in spans}
    group_of = {member: group for group, members in model.members.items() for member in members}
    reached = began | {group_of[node] for node in began if node in group_of}
    apart = reached | set(drawn.templates) | set(group_of)
    never = [name for node, name in enumerate(names) if node not in apart]
    return Plan(
        workflow=workflow,
        schedule="parallel" if model.parallel else "sequential",
        workers=workers,
        waves=_waves(model, spans, group_of, times),
        order=tuple(names[span.node] for span in _spans(model, _Guessed(drawn, lambda node: 1.0), workers)),
        never=tuple(never),
        may_grow=tuple(names[node] for node in drawn.may_grow if node in began),
        loops=tuple((names[source], names[target]) for source, target in loops),
        expected=expected,
        shortest=shortest,
        run=None if measured is None else measured.meta["run"],
        unknown=() if times is None else tuple(times.unknown),
        functions=dict(zip(names, drawn.functions, strict=True)),
    )


class _Guessed:
    """Attempts that all go well and ask for nothing."""

    def __init__(self, drawn: Drawn, seconds: Callable[[int], float]) -> None:
        self._drawn = drawn
        self._seconds = seconds

    def attempt(self, node: int, branch: int) -> Attempt:
        return Attempt(self._seconds(node), on_worker=self._drawn.on_worker(node, branch != 0))

    def join(self, node: int) -> tuple[float, bool]:
        return 0.0, True


class _Times:
    """What tasks took in a recorded run: each by its name, else as its function's do on average."""

    def __init__(self, measured: Columns, names: Sequence[str], functions: Sequence[str]) -> None:
        self._names, self._functions = names, functions
        of_names: dict[str, list[float]] = {}
        of_functions: dict[str, list[float]] = {}
        called = function_names(measured)
        for row, node in enumerate(measured.node):
            took = measured.end[row] - measured.start[row]
            if took == took and measured.kinds[node] != GROUP:
                of_names.setdefault(measured.names[node], []).append(took)
                if measured.kinds[node] != MAP:
                    of_functions.setdefault(called[node], []).append(took)
        # Of a map, whose chunks have rows too, the last one is its own; of a loop each round counts.
        maps = {measured.names[node] for node, kind in enumerate(measured.kinds) if kind == MAP}
        self._of_names = {name: some[-1] if name in maps else sum(some) / len(some) for name, some in of_names.items()}
        self._of_functions = {name: sum(some) / len(some) for name, some in of_functions.items()}
        self.unknown: dict[str, None] = {}

    def known(self, node: int) -> float | None:
        found = self._of_names.get(self._names[node])
        return self._of_functions.get(self._functions[node]) if found is None else found

    def of(self, node: int) -> float:
        found = self.known(node)
        if found is None:
            self.unknown[self._functions[node] or self._names[node]] = None
        return found or 0.0


def _spans(model: Model, bodies: _Guessed, workers: int) -> list[Span]:
    simulation = Simulation(model, bodies, workers)
    simulation.run(keep_spans=True)
    return sorted(simulation.spans, key=lambda span: span.start)


def _waves(model: Model, spans: list[Span], group_of: dict[int, int], times: _Times | None) -> tuple[Wave, ...]:
    """What starts together when each body takes a second and there are workers for all."""
    began = {span.node for span in spans} | set(model.groups)
    before: dict[int, list[int]] = {}
    for place in range(0, len(model.edges), 2):
        before.setdefault(model.edges[place + 1], []).append(model.edges[place])
    waves: dict[int, list[int]] = {}
    for span in spans:
        waves.setdefault(round(span.start), []).append(span.node)
    found = []
    for _, nodes in sorted(waves.items()):
        known = [] if times is None else [each for each in map(times.known, nodes) if each is not None]
        after: dict[int, None] = {}
        for node in nodes:
            while node in group_of and node not in before:
                node = group_of[node]
            after.update(dict.fromkeys(each for each in before.get(node, ()) if each in began))
        names = model.names
        longest = max(known, default=None)
        found.append(Wave(tuple(names[node] for node in nodes), longest, tuple(names[node] for node in after)))
    return tuple(found)


def _without_loops(model: Model) -> tuple[Model, list[tuple[int, int]]]:
    """The model without the edges that lead back, and these: a plan goes round no loop, for nobody knows how often."""
    following: dict[int, list[int]] = {}
    for place in range(0, len(model.edges), 2):
        following.setdefault(model.edges[place], []).append(model.edges[place + 1])
    back: list[tuple[int, int]] = []
    state: dict[int, int] = {}  # 1 while its successors are looked at, 2 when all have been
    for root in [*model.roots, *following]:
        stack = [] if root in state else [(root, iter(following.get(root, ())))]
        if stack:
            state[root] = 1
        while stack:
            node, rest = stack[-1]
            for target in rest:
                if state.get(target) == 1:
                    back.append((node, target))
                elif target not in state:
                    state[target] = 1
                    stack.append((target, iter(following.get(target, ()))))
                    break
            else:
                state[node] = 2
                stack.pop()
    if not back:
        return model, []
    gone = set(back)
    edges = [
        node
        for source, targets in following.items()
        for target in targets
        if (source, target) not in gone
        for node in (source, target)
    ]
    return replace(model, edges=edges), back
