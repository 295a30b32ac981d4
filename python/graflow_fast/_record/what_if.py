"""How long a recorded run would have taken with other workers, without a task, or with a faster one.

Owns the question. The answer is the real scheduler's, in virtual time (`simulation`), with what the record says of
each attempt (`replaying`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graflow_fast._hints import did_you_mean
from graflow_fast._record.columns import GROUP, Columns
from graflow_fast._record.figures import function_names
from graflow_fast._record.replaying import Replay
from graflow_fast._record.simulation import Attempt, Simulation
from graflow_fast.exceptions import ConfigError


def what_if(
    columns: Columns,
    workers: int | None = None,
    without: Iterable[str] = (),
    faster: Mapping[str, float] | None = None,
) -> float:
    """Seconds that a run would have taken; see `RecordedRun.what_if`."""
    factors = _factors(columns, [without] if isinstance(without, str) else without, faster or {})
    if workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
        raise ConfigError(f"workers={workers!r} must be a whole number above 0")
    replay = Replay(columns)
    bodies = _Changed(replay, factors) if factors else replay
    measured = columns.meta.get("workers") or 1
    count = measured if workers is None else workers
    simulation = Simulation(replay.model, bodies, count, replay.available, replay.begins)
    return simulation.run() + replay.tail


class _Changed:
    """Attempts of a run, of which some take less."""

    def __init__(self, replay: Replay, factors: Mapping[int, float]) -> None:
        self._replay = replay
        self._factors = factors

    def attempt(self, node: int, branch: int) -> Attempt:
        attempt = self._replay.attempt(node, branch)
        factor = self._factors.get(node)
        if factor is None:
            return attempt
        if not factor:  # it is not there at all, and nothing is handed over
            return attempt._replace(ran=0.0, before=0.0, after=0.0, chunks=(), on_worker=False)
        chunks = tuple((before, ran * factor) for before, ran in attempt.chunks)
        return attempt._replace(ran=attempt.ran * factor, chunks=chunks)

    def join(self, node: int) -> tuple[float, bool]:
        return self._replay.join(node)


def _factors(columns: Columns, without: Iterable[str], faster: Mapping[str, float]) -> dict[int, float]:
    """By which factor the bodies of each node get shorter, of those that do."""
    found: dict[int, float] = {}
    for name, times in faster.items():
        if isinstance(times, bool) or not isinstance(times, (int, float)) or not times > 0:
            raise ConfigError(f"faster={{{name!r}: {times!r}}} must be a number above 0: 2 is twice as fast")
        for node in _nodes_of(columns, name):
            found[node] = 1 / times
    for name in without:
        found.update(dict.fromkeys(_nodes_of(columns, name), 0.0))
    return found


def _nodes_of(columns: Columns, name: str) -> set[int]:
    """The nodes that are called so, or whose function is; of a group, those of its members.

    Raises:
        ConfigError: There are none.
    """
    functions = function_names(columns)
    # A task of which only copies run has its function's name, too, and means nothing by itself.
    began = set(columns.node)
    found = {node for node, known in enumerate(columns.names) if name == known and node in began}
    found = found or {node for node, function in enumerate(functions) if name == function}
    if not found:
        hint = did_you_mean(name, [*columns.names, *functions])
        raise ConfigError(f"There is no task and no function '{name}' in this run. {hint}".rstrip())
    waiting = [node for node in found if columns.kinds[node] == GROUP]
    while waiting:
        members = set(columns.members.get(waiting.pop(), ())) - found
        found |= members
        waiting += [member for member in members if columns.kinds[member] == GROUP]
    return found
