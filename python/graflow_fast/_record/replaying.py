"""The attempts of a recorded run, given out one by one, so that the run can be simulated with other workers.

Owns which attempt takes what: a row is given out by its node, the first one first, so the k-th attempt of a task takes
what the k-th one took, whatever comes in between; what never ran takes what its function takes on average. Must not
know the scheduler.
"""

from __future__ import annotations

from collections import deque

from graflow_fast._record.asking import directives_of
from graflow_fast._record.columns import COMPLETED, FAILED, GROUP, RETRIED, SKIPPED, Columns, known_end
from graflow_fast._record.costs import Costs, own_rows
from graflow_fast._record.figures import function_names
from graflow_fast._record.simulation import Attempt, Model


class Replay:
    """The attempts of a run.

    Attributes:
        model: What the scheduler has to know of the run.
        available: When each worker was there, in seconds since the start.
        begins: When the first task could start, in seconds since the start.
        tail: Seconds from the last thing that the scheduler heard of to the end of the run.
        has_workers: Whether any body ran on a worker, or in a thread beside others.
    """

    def __init__(self, columns: Columns) -> None:
        self._functions = function_names(columns)
        own, chunks = own_rows(columns)
        costs = Costs(columns, own, chunks)
        directives = directives_of(columns, own)
        self.model = _model_of(columns, own)
        self.available = costs.available
        self.has_workers = bool(costs.on_worker)
        self.begins = min((columns.ready[row] for row in own if columns.ready[row] >= 0.0), default=0.0)
        self.tail = max(0.0, known_end(columns) - costs.last_heard)
        self._attempts: dict[int, deque[Attempt]] = {}
        self._joins: dict[int, deque[tuple[float, bool]]] = {}
        took: dict[str, list[float]] = {}
        for row in own:
            node, outcome = columns.node[row], columns.outcome[row]
            if columns.kinds[node] == GROUP:
                self._joins.setdefault(node, deque()).append((costs.joins[row], outcome != FAILED))
            elif outcome != SKIPPED and columns.start[row] == columns.start[row]:
                attempt = costs.attempt(row, directives.get(row, ()))
                self._attempts.setdefault(node, deque()).append(attempt)
                if outcome in (COMPLETED, FAILED, RETRIED):
                    took.setdefault(self._functions[node], []).append(attempt.ran)
        self._means = {function: sum(times) / len(times) for function, times in took.items()}
        known = [time for times in took.values() for time in times]
        self._mean = sum(known) / len(known) if known else 0.0

    def attempt(self, node: int, branch: int) -> Attempt:
        """Return what the next attempt of a node takes; ``branch`` is 0 for the workflow's own."""
        waiting = self._attempts.get(node)
        if waiting:
            return waiting.popleft()
        mean = self._means.get(self._functions[node], self._mean)
        return Attempt(mean, on_worker=self.has_workers and (branch != 0 or self.model.parallel))

    def join(self, node: int) -> tuple[float, bool]:
        """Return what the next join of a group takes, and whether its policy is content."""
        waiting = self._joins.get(node)
        return waiting.popleft() if waiting else (0.0, True)


def _model_of(columns: Columns, own: list[int]) -> Model:
    """What the scheduler was told of the run's graph."""
    meta = columns.meta
    roots = dict.fromkeys(
        columns.node[row]
        for row in sorted(own, key=lambda row: (columns.ready[row], columns.start[row]))
        if columns.released_by[row] < 0 and not columns.branch[row] and columns.outcome[row] != SKIPPED
    )
    steps = None
    if meta.get("outcome") == "max_steps":
        steps = sum(not columns.branch[row] and columns.outcome[row] == COMPLETED for row in own)
    return Model(
        names=columns.names,
        groups={node for node, kind in enumerate(columns.kinds) if kind == GROUP},
        members=columns.members,
        edges=columns.edges,
        roots=list(roots),
        options=columns.options,
        lanes=columns.lanes,
        totals=columns.totals,
        parallel=meta.get("schedule") == "parallel",
        max_steps=steps,
        max_concurrency=meta.get("max_concurrency"),
    )
