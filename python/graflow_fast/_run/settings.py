"""How a run is executed: options of `execute` and `workflow`, the environment, defaults. Knows nothing of the graph."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from graflow_fast._hints import did_you_mean
from graflow_fast.core.definition import parse_bytes, positive, whole
from graflow_fast.exceptions import ConfigError, UnknownOptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from graflow_fast._places.remote.carrier import Carrier
    from graflow_fast._pool.process_pool import ProcessPool

_CHOICES = {
    "executor": ("auto", "inline", "thread", "process"),
    "schedule": ("sequential", "parallel"),
    "output": ("ordered", "live"),
    "keep_results": ("all", "needed", "none"),
    "sync": ("kill", "power"),
    "changed": ("warn", "refuse"),
}


_LOST_MUTATION_MODES = ("warn", "error", "ignore")


def _is_choice(value: Any, choices: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value in choices


def _engine_of(value: Any) -> Carrier | None:
    """Return the engine that is meant by an executor's name or object, None when it is none."""
    from graflow_fast._places.remote.engines import carrier_of

    return carrier_of(value)


class Settings:
    """The options of a run; None where the next level decides.

    Attributes:
        executor: where bodies run: auto, inline, thread or process; or an engine ("dask", "ray", a client, an
            executor), which means auto with worker processes there.
        max_workers: worker processes or threads; None: the usable cores.
        schedule: sequential (FIFO) or parallel (everything ready at once).
        max_concurrency: how many tasks run at once under ``schedule="parallel"``; None: what the workers can take.
        output: ordered (as the sequential run prints) or live.
        timeout: seconds an attempt may take, for tasks that don't say; memory_limit: bytes, likewise.
        keep_results: which results to keep: all, needed (by what is still to run), or none.
        seed: what tasks' seeds are derived from.
        deadline: seconds that the whole run may take; None: no limit.
        progress: whether the run is shown while it goes: True (a block on a terminal, else lines), "plain" (lines) or
            "off".
        record: whether what runs is recorded, and, if not in the usual store of runs, in which file.
        resources: how much there is of what tasks take, by name, where it is not what this machine has.
        durable: whether another process can go on with the run, and, if not in the usual store of runs, in which file.
        run: the name of a durable run.
        sync: what a durable run survives without losing anything: kill (of its process) or power (lost).
        changed: whether a run goes on whose done tasks have other code now: warn or refuse.
        initializer: called once in each worker before its first body, and once in this process if bodies may run here.
    """

    executor: Any = None
    max_workers: int | None = None
    schedule: str = "sequential"
    max_concurrency: int | None = None
    output: str = "ordered"
    timeout: float | None = None
    memory_limit: int | None = None
    keep_results: str = "all"
    seed: int = 0
    deadline: float | None = None
    progress: bool | str = False
    record: bool | str | os.PathLike[str] = False
    resources: Mapping[str, float] | None = None
    initializer: Callable[[], Any] | None = None
    durable: bool | str | os.PathLike[str] = False
    run: str | None = None
    sync: str = "kill"
    changed: str = "warn"
    #: Whether there has to be a run to go on with.
    resumes = False

    @classmethod
    def of_workflow(cls, **options: Any) -> Settings:
        """Make settings from the options given to ``workflow(...)``."""
        return cls().merged(options, ("tracer",))

    def merged(self, options: dict[str, Any], beside: Iterable[str] = ()) -> Settings:
        """Return these settings with the given ones on top; None leaves a setting as it is.

        Args:
            options: the settings given.
            beside: what else could have been meant by a name that is none.

        Raises:
            UnknownOptionError: there is no such option.
            ConfigError: a value is out of range.
        """
        known = set(Settings.__annotations__)
        for name in options:
            if name not in known:
                names = sorted({*known, *beside})
                hint = did_you_mean(name, names) or f"There are: {', '.join(names)}"
                raise UnknownOptionError(f"Unknown option {name!r}. {hint}")
        given = {name: value for name, value in options.items() if value is not None}
        for name, choices in _CHOICES.items():
            if name in given and not _is_choice(given[name], choices):
                if name == "executor" and _engine_of(given[name]) is not None:
                    continue
                hint = did_you_mean(given[name], choices) or f"Choose one of {', '.join(choices)}"
                raise ConfigError(f"{name}={given[name]!r} is unknown. {hint}")
        for name in ("max_workers", "max_concurrency"):
            if name in given:
                given[name] = whole(given[name], name, lowest=1)
        for name in ("record", "durable"):
            if not isinstance(given.get(name, True), (bool, str, os.PathLike)):
                raise ConfigError(f"{name}={given[name]!r} must be True, or the path of a store of runs")
        if not isinstance(given.get("run", ""), str) or given.get("run") == "":
            raise ConfigError(f"run={given['run']!r} must be a text: the name of a durable run")
        if given.get("run") and not given.get("durable", self.durable):
            raise ConfigError(f"run={given['run']!r} names a durable run; say durable=True, too")
        if given.get("progress", True) not in (True, False, "plain", "off"):
            raise ConfigError(f'progress={given["progress"]!r} must be True, "plain" or "off"')
        if "seed" in given:
            given["seed"] = whole(given["seed"], "seed")
        for name in ("timeout", "deadline"):
            if name in given:
                positive(given[name], name, "seconds")
        if "initializer" in given and not callable(given["initializer"]):
            shown = f"initializer={given['initializer']!r}"
            raise ConfigError(f"{shown} must be a function without arguments (functools.partial binds some)")
        if "resources" in given:
            from graflow_fast.core.resources import totals_of

            given["resources"] = totals_of(given["resources"])
        if "memory_limit" in given:
            given["memory_limit"] = parse_bytes(given["memory_limit"])
        merged = Settings()
        merged.__dict__.update(self.__dict__)
        merged.__dict__.update(given)
        return merged

    def resolved_executor(self) -> str:
        """Return the executor: the one set, else ``GRAFLOW_FAST_EXECUTOR``, else auto.

        Raises:
            ConfigError: the environment names an unknown one.
        """
        name = self._given_executor()
        if _is_choice(name, _CHOICES["executor"]):
            return str(name)
        engine = _engine_of(name)
        if engine is None:
            hint = did_you_mean(name, _CHOICES["executor"]) or f"Choose one of {', '.join(_CHOICES['executor'])}"
            raise ConfigError(f"The environment says GRAFLOW_FAST_EXECUTOR={name!r}, which is unknown. {hint}")
        return "process" if engine.place == "all" else "auto"

    def _given_executor(self) -> Any:
        return self.executor or os.environ.get("GRAFLOW_FAST_EXECUTOR") or "auto"

    def engine(self) -> Carrier | None:
        """Return the engine whose workers bodies run on, None for those of this machine.

        Raises:
            ConfigError: it can't be used.
            ImportError: its package is not installed.
        """
        name = self._given_executor()
        return None if _is_choice(name, _CHOICES["executor"]) else _engine_of(name)

    def checkout(self) -> ProcessPool:
        """Return a pool for a run: of this machine, or of the engine that was given."""
        from graflow_fast._pool.registry import checkout

        engine, workers = self.engine(), self.resolved_workers()
        if engine is None:
            return checkout(workers)
        from graflow_fast._places.remote.pool import StationPool

        return checkout(workers, make=lambda: StationPool(engine, workers), engine=engine)

    def check_environment(self) -> None:
        """Look at the variables that only workers read, before any is started.

        Raises:
            ConfigError: one of them has no meaning.
        """
        mode = os.environ.get("GRAFLOW_FAST_LOST_MUTATION", "warn")
        if mode.lower() not in _LOST_MUTATION_MODES:
            modes = ", ".join(_LOST_MUTATION_MODES)
            raise ConfigError(f"GRAFLOW_FAST_LOST_MUTATION={mode!r} is unknown; choose one of {modes}")

    def resolved_workers(self) -> int:
        """Return the number of workers: the one set, else ``GRAFLOW_FAST_WORKERS``, else the usable cores.

        Raises:
            ConfigError: the environment gives no positive number.
        """
        if self.max_workers is not None:
            return self.max_workers
        text = os.environ.get("GRAFLOW_FAST_WORKERS")
        if text:
            if not text.isdigit() or int(text) < 1:
                raise ConfigError(
                    f"The environment says GRAFLOW_FAST_WORKERS={text!r}, which must be a positive whole number"
                )
            return int(text)
        engine = self.engine()
        if engine is not None:
            return max(1, sum(address.slots for address in engine.addresses()))
        from graflow_fast._pool.cores import usable_cores

        return usable_cores()
