"""Where results of tasks with ``cache=True`` came from, as far as a run has come: what `explain` says of them.

Owns that memory. A body says it among its output, so it comes from wherever the body is. Must not know the cache.
"""

from __future__ import annotations

from typing import Any

__all__ = ["HIT", "MISS", "MOST", "UNCACHED", "forget_all", "note", "of", "since"]

#: Taken from the cache; run, and kept; run, and not kept.
HIT, MISS, UNCACHED = range(3)

#: So many runs, and so many tasks of each, are remembered.
RUNS, MOST = 8, 100_000

_runs: dict[str, dict[str, tuple[Any, ...]]] = {}


def note(run: str, task_id: str, *origin: Any) -> None:
    """Remember where a task's result came from.

    Args:
        run: the run's trace id.
        task_id: the task.
        origin: `HIT` and when it was made; `MISS`, and directory, group and name of the entry; `UNCACHED` and why.
    """
    tasks = _runs.get(run)
    if tasks is None:
        while len(_runs) >= RUNS:
            del _runs[next(iter(_runs))]
        tasks = _runs[run] = {}
    if len(tasks) < MOST or task_id in tasks:
        tasks[task_id] = origin


def of(run: str, task_id: str) -> tuple[Any, ...] | None:
    """Return where the result of a task came from, None if nobody said."""
    return _runs.get(run, {}).get(task_id)


def since(run: str, known: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the tasks of a run that were first noted after so many others, and what of them."""
    tasks = _runs.get(run, {})
    return list(tasks.items())[known:] if len(tasks) > known else []


def forget_all() -> None:
    """Forget all runs."""
    _runs.clear()
