"""Iterations: how often a task that calls ``next_iteration`` may run.

Owns the counters of one run. Must not know how an iteration is carried out.
"""

from __future__ import annotations

from graflow_fast._tracebacks import add_note
from graflow_fast.exceptions import CycleLimitExceededError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast._core import StepCounts

__all__ = ["CycleController"]


class CycleController:
    """Counts the executions of each task of a run and knows how many cycles it may have.

    Args:
        default_max_cycles: Cycles of a task for which nothing else is set.
    """

    def __init__(self, default_max_cycles: int = 100) -> None:
        self.default_max_cycles = default_max_cycles
        self._counts: dict[str, int] = {}
        #: What counts by node, until somebody asks for the dictionary.
        self._by_node: StepCounts | None = None
        self.node_max_cycles: dict[str, int] = {}
        #: Tasks whose last execution a copy does not count, since it begins again there.
        self.begin_again: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        counts = self.cycle_counts
        if self.begin_again:
            counts = counts.copy()
            for name in self.begin_again:
                counts[name] -= 1
        return {**vars(self), "_counts": counts, "_by_node": None, "begin_again": []}

    @property
    def cycle_counts(self) -> dict[str, int]:
        """How often each task has run so far."""
        if self._by_node is not None:
            self._by_node.share_counts()
            self._by_node = None
        return self._counts

    def count_by_node(self, counts: StepCounts) -> None:
        """Let steps be counted there, until somebody asks for the dictionary."""
        self._by_node = counts

    def set_node_max_cycles(self, node_id: str, max_cycles: int) -> None:
        """Let one task run `max_cycles` times."""
        self.node_max_cycles[node_id] = max_cycles

    def get_max_cycles_for_node(self, node_id: str) -> int:
        """How often the task may run."""
        return self.node_max_cycles.get(node_id, self.default_max_cycles)

    def get_cycle_count(self, node_id: str) -> int:
        """How often the task has run so far, the current time included."""
        count = self._counts.get(node_id, 0)
        return count if self._by_node is None else count + self._by_node.count_of(node_id)

    def accept_next_cycle(self, node_id: str) -> bool:
        """Whether the task may run once more."""
        return self.get_cycle_count(node_id) < self.get_max_cycles_for_node(node_id)

    def increment(self, node_id: str) -> int:
        """Count one execution of the task, without checking; returns the new count."""
        count = self.get_cycle_count(node_id) + 1
        self.cycle_counts[node_id] = count
        return count

    def check_cycle_limit(self, node_id: str) -> None:
        """Do nothing while the task may run once more.

        Raises:
            CycleLimitExceededError: It may not.
        """
        if not self.accept_next_cycle(node_id):
            count, limit = self.get_cycle_count(node_id), self.get_max_cycles_for_node(node_id)
            error = CycleLimitExceededError(node_id, count, limit)
            add_note(error, "Raise the limit with @task(max_cycles=...), or ask ctx.can_iterate() before.")
            raise error
