"""Owns rows E: workflows whose bodies run on engines, each beside the engine's own tasks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bodies import noop
from contest import WORKERS, Entry, Goal, Row, stopwatch
from engines import Engine
from peers import PEERS

#: The engines, and the peers that have one of the same size.
_ON = {"dask": "dask", "ray": "ray", "processes": "executor1"}


class Stations(Engine):
    """graflow_fast on an engine of `WORKERS` workers."""

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._peer: Any = PEERS[engine]() if engine != "processes" else ProcessPoolExecutor(WORKERS)
        if engine == "dask":
            self._options["executor"] = self._peer._client
        else:
            self._options["executor"] = "ray" if engine == "ray" else self._peer

    def close(self) -> None:
        """End the engine."""
        from graflow_fast._pool.registry import shutdown_all

        shutdown_all()
        if isinstance(self._peer, ProcessPoolExecutor):
            self._peer.shutdown()
        else:
            self._peer.close()


class Group(Stations):
    """A group of `size` no-op members: µs a member."""

    def run(self, size: int) -> float:
        member = self.library.task(noop)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"m{i}") for i in range(size)])
        return self.timed_group(flow, size) / size * 1e6


class Lone(Stations):
    """A chain of `size` no-op steps that run there: µs a step, there and back."""

    def run(self, size: int) -> float:
        step = self.library.task(handler="process")(noop)
        with self.workflow() as flow:
            self.library.chain(*[step(task_id=f"n{i}") for i in range(size)])
        return self.timed(flow, size, f"n{size - 1}") / size * 1e6


class Adds(Stations):
    """One body that adds `size` times to a live key: µs a call."""

    def run(self, size: int) -> float:
        def add(ctx: Any) -> int:
            channel = ctx.get_channel()
            return [channel.atomic_add("count", 1) for _ in range(size)][-1]

        with self.workflow() as flow:
            self.library.task(inject_context=True, handler="process")(add)
        answers: list[Any] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, 1)[0]))
        if answers != [size]:
            raise RuntimeError(f"{answers} of {size} additions")
        return seconds / size * 1e6


class First(Stations):
    """The first result on an engine that is there already: µs, with the start of a station. Measured once."""

    def run(self, size: int) -> float:
        from graflow_fast._pool.registry import shutdown_all

        shutdown_all()
        step = self.library.task(handler="process")(noop)
        with self.workflow() as flow:
            self.library.chain(step(task_id="n0"), step(task_id="n1"))
        return self.timed(flow, 2, "n1") * 1e6


def _row(
    key: str, work: str, target: str, size: int, on: tuple[str, ...], goals: dict[str, float], peer: str | None
) -> Callable[[bool], Row]:
    def make(quick: bool) -> Row:
        count = max(1, size // 10) if quick else size
        entries = []
        for engine in on:
            label = f"graflow_fast on {engine}"
            entries.append(Entry(label, f"stations:{target}", count, {"engine": engine}, patience=120))
            if peer is not None:
                calls = count if peer == "lone" else min(count, 2000)
                params = {"peer": _ON[engine], "verb": peer}
                entries.append(Entry(engine, "peers:PeerTasks", calls, params, heavy=True, patience=120))
        asked = [
            Goal(f"{engine}: ≤ {bound:g} µs", f"graflow_fast on {engine}", bound) for engine, bound in goals.items()
        ]
        return Row(key=key, work=work, unit="µs", entries=entries, goals=asked, runs=3)

    return make


ROWS = {
    "E1": _row(
        "E1", "group of no-op members on an engine", "Group", 200_000, ("dask", "ray"), {"dask": 6, "ray": 5}, "each"
    ),
    "E2": _row("E2", "the same in an executor", "Group", 200_000, ("processes",), {"processes": 4}, "each"),
    "E4": _row(
        "E4",
        "one lone no-op on an engine, there and back",
        "Lone",
        200,
        ("dask", "ray"),
        {"dask": 3000, "ray": 2500},
        "lone",
    ),
    "E5": _row("E5", "`atomic_add` from an engine", "Adds", 300, ("dask", "ray"), {"dask": 3000, "ray": 3000}, None),
    "E7": _row("E7", "first result on an engine that is there", "First", 1, ("dask", "ray"), {"dask": 250_000}, None),
}
