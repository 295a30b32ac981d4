"""Which attempts of a run may have to wait for others: priorities, limits on how many run at once, and what tasks take.

Owns the scheduler's lanes, each made when a first task needs it. Who waits and who starts is the scheduler's; how much
there is of what tasks take is `resources`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast._run.resources import Resources
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.task import Executable, TaskWrapper


class Lanes:
    """The lanes of one run.

    Attributes:
        options: node -> priority and lane, of those that have any.
        made: number, limit and demand of each lane.
    """

    def __init__(self, scheduler: Scheduler, resources: Resources) -> None:
        self._scheduler = scheduler
        self._resources = resources
        self._numbers: dict[tuple[int, bool], int] = {}
        self.options: dict[int, tuple[int, int]] = {}
        self.made: list[tuple[int, int | None, list[tuple[int, int]]]] = []

    def totals(self) -> list[tuple[int, int]]:
        """Return how many of the scheduler's units there are of each resource that somebody takes."""
        return self._resources.totals()

    def note(self, node: int, options: tuple[int, int]) -> None:
        """Note the priority and the lane of a node."""
        if options != (0, 0):
            self.options[node] = options

    def note_all(self, tasks: list[Executable], definitions: dict[Definition, TaskWrapper]) -> None:
        """Note priorities and lanes of the first nodes, and tell the scheduler.

        Args:
            tasks: the nodes' tasks.
            definitions: their definitions, with one task of each.
        """
        found = {id(definition): self.options_of(task) for definition, task in definitions.items()}
        limited = {definition: options for definition, options in found.items() if options != (0, 0)}
        for node, task in enumerate(tasks):
            options = limited.get(id(task._definition))  # type: ignore[attr-defined]
            if options is not None:
                self.options[node] = options
                self._scheduler.set_options(node, *options)

    def options_of(self, task: Executable) -> tuple[int, int]:
        """Return the priority and the lane of a task."""
        if task.is_map:
            definition = task.task._definition  # type: ignore[attr-defined]
            return definition.priority, 0 if definition.resources is None else self._lane(definition, task)
        definition = getattr(task, "_definition", None)
        if definition is None:
            return 0, 0
        return definition.priority, self._lane(definition, task) if is_limited(definition) else 0

    def _lane(self, definition: Definition, task: Executable) -> int:
        """Return the lane of tasks of a definition; a map's attempt takes what its items take together."""
        known = id(definition), task.is_map
        lane = self._numbers.get(known)
        if lane is None:
            times = self._resources.at_once(definition) if task.is_map else 1
            demand = self._resources.demand(definition, task.task_id, times)
            lane = self._numbers[known] = len(self._numbers) + 1
            limit = None if definition.max_concurrency is None or task.is_map else int(definition.max_concurrency)
            if limit is not None:
                self._scheduler.set_lane_limit(lane, limit)
            if demand:
                self._scheduler.set_lane_demand(lane, demand)
            self.made.append((lane, limit, demand))
        return lane


def is_limited(definition: Definition) -> bool:
    """Say whether attempts of a definition may have to wait for each other or for others."""
    return definition.max_concurrency is not None or definition.resources is not None
