"""What a run has of what its tasks take: given by ``execute(resources=...)``, else what this machine has.

Owns totals, the scheduler's numbers for names, and its units. Who waits and who starts is the scheduler's.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from graflow_fast.core.resources import CPUS, GPUS, MEMORY, shown
from graflow_fast.exceptions import ConfigError

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.definition import Definition

#: The scheduler counts whole units: thousandths of all but memory, which is bytes.
_UNITS = 1000


class Resources:
    """What there is for the tasks of one run."""

    def __init__(self, settings: Settings, scheduler: Scheduler) -> None:
        self._settings = settings
        self._scheduler = scheduler
        #: Name -> number and total, of those that a task has asked for.
        self._known: dict[str, tuple[int, float]] = {}

    def demand(self, definition: Definition, task_id: str, times: int = 1) -> list[tuple[int, int]]:
        """Return what an attempt of a task takes, in the scheduler's terms.

        Args:
            definition: of the task; it takes something.
            task_id: the task, for the message.
            times: how many bodies of it run at once in an attempt.

        Raises:
            ConfigError: there will never be so much.
        """
        taken = []
        for name, amount in definition.resources or ():
            number, total = self._of(name)
            if amount > total:
                raise _never(task_id, name, amount, total, name in (self._settings.resources or {}))
            taken.append((number, times * _units(name, amount, math.ceil)))
        return taken

    def at_once(self, definition: Definition) -> int:
        """Return how many bodies of a definition that takes something may run at once: a map's items, for example."""
        fits = self._settings.resolved_workers()
        if definition.max_concurrency is not None:
            fits = min(fits, definition.max_concurrency)
        for name, amount in definition.resources or ():
            fits = min(fits, int(self._of(name)[1] // amount))
        return max(1, fits)

    def totals(self) -> list[tuple[int, int]]:
        """Return how many of the scheduler's units there are of what tasks have asked for, by its numbers."""
        return [(number, _units(name, total, math.floor)) for name, (number, total) in self._known.items()]

    def _of(self, name: str) -> tuple[int, float]:
        found = self._known.get(name)
        if found is None:
            given = self._settings.resources or {}
            total = given[name] if name in given else _detected(name)
            if name == GPUS and (devices := visible_devices()) is not None and total > len(devices):
                raise ConfigError(
                    f"resources={{'gpus': {total:g}}}, but CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}"
                    f" lets this program see {len(devices)}: change one of them"
                )
            found = self._known[name] = len(self._known), total
            self._scheduler.set_resource(found[0], _units(name, total, math.floor))
        return found


def visible_devices() -> list[str] | None:
    """Return what ``CUDA_VISIBLE_DEVICES`` lets this program see, None when it does not say."""
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if text is None else [each.strip() for each in text.split(",") if each.strip()]


def _units(name: str, amount: float, rounded: type[int] | object) -> int:
    return int(rounded(amount if name == MEMORY else round(amount * _UNITS, 6)))  # type: ignore[operator]


def _detected(name: str) -> float:
    """Return what this machine has of something, 0 for what nobody can know."""
    if name == CPUS:
        from graflow_fast._pool.cores import usable_cores

        return float(usable_cores())
    if name == MEMORY:
        from graflow_fast._pool.cores import usable_memory

        return float(usable_memory())
    if name == GPUS:
        devices = visible_devices()
        return float(_nvidia_devices() if devices is None else len(devices))
    return 0.0


def _nvidia_devices() -> int:
    """Return how many GPUs the driver shows; none without one."""
    try:
        return len(os.listdir("/proc/driver/nvidia/gpus"))
    except OSError:
        return 0


def _never(task_id: str, name: str, amount: float, total: float, is_given: bool) -> ConfigError:
    asked = shown(name, amount)
    if name not in (CPUS, MEMORY, GPUS) and not is_given:
        return ConfigError(
            f"Task '{task_id}' takes {asked}, but the run does not say how many of '{name}' there are: "
            f"execute(resources={{{name!r}: ...}})"
        )
    whose = "the run is given" if is_given else "this machine has"
    there = shown(name, total).partition("=")[2] if name in (CPUS, MEMORY, GPUS) else f"{total:g}"
    return ConfigError(
        f"Task '{task_id}' takes {asked}, but {whose} {there}, so it could never start: ask for less, "
        f"or say that there is more by execute(resources={{{name!r}: ...}})"
    )
