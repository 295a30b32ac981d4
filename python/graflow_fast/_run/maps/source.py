"""The items of a map, read as they are needed. Knows nothing of what becomes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING
from graflow_fast._body.packing import unpacked
from graflow_fast._run.maps.batches import Batch
from graflow_fast.core.spread import Spread
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._run.attempts.attempt import Attempt

#: How many items are read before the clock is looked at, and how many seconds reading a batch may take.
_GULP = 4096
_PATIENCE = 0.02


class Source:
    """The items of one map.

    Attributes:
        next_index: the index of the item that is read next.
        raised: what the iterator raised, None so far.
    """

    def __init__(self, items: Iterator[Any]) -> None:
        self.next_index = 0
        self.raised: Exception | None = None
        self._items = items
        self._exhausted = False
        self._pushed_back: deque[Any] = deque()

    def has_more(self) -> bool:
        """Say whether there may be items that were not read yet."""
        return not self._exhausted or bool(self._pushed_back)

    def read(self, wanted: int) -> Batch | None:
        """Read so many items, or fewer where they come slowly or to an end; None when there are none."""
        items: list[Any] = []
        while self._pushed_back and len(items) < wanted:
            items.append(self._pushed_back.popleft())
        patience = None
        try:
            while len(items) < wanted and not self._exhausted:
                gulp = min(_GULP, wanted - len(items))
                before = len(items)
                items.extend(islice(self._items, gulp))
                if len(items) < before + gulp:
                    self._exhausted = True
                    break
                now = time.monotonic()
                patience = patience or now + _PATIENCE
                if now > patience:  # the items come slowly, and workers wait for these
                    break
        except Exception as error:
            self.raised = error
            self._exhausted = True
        if not items:
            return None
        batch = Batch(self.next_index, items)
        self.next_index += len(items)
        return batch

    def skip(self, count: int) -> list[Any]:
        """Return the next items, or as many as there are, of which no batch is made: they have been read before."""
        items = list(islice(self._items, count))
        self.next_index += len(items)
        return items

    def push_back(self, batch: Batch, count: int) -> None:
        """Give back the last items of the newest batch, which were not run."""
        self._pushed_back.extend(batch.items[-count:])
        del batch.items[-count:]
        batch.open -= count
        self.next_index -= count


def items_value(bodies: Bodies, attempt: Attempt) -> Any:
    """Return the value that a map's items are taken from, when they are another task's result."""
    task: Any = attempt.task
    if isinstance(task.items, str):
        return _result_of(attempt, task.items)
    if task.has_own_items:
        return None
    if isinstance(task.items, Spread):
        return task.items.resolved(lambda name: _result_of(attempt, name))
    previous = bodies.previous_of(attempt)
    if previous is NOTHING:
        raise GraflowRuntimeError(
            f"Map '{attempt.task_id}' has no items: none were given, and no single task before it returned a value"
        )
    return unpacked(previous())


def _result_of(attempt: Attempt, name: str) -> Any:
    key = f"{name}.__result__"
    if not attempt.branch.channel.exists(key):
        raise GraflowRuntimeError(
            f"Map '{attempt.task_id}' takes its items from task '{name}', which has left no result "
            "(a text as items names a task; to map over its letters pass list(text))"
        )
    return attempt.branch.channel.get(key)
