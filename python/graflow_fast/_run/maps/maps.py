"""The maps of one run: begun, pumped while the run waits, given up. What happens in a map is `map_run`'s.

To the driver it is one more place: where maps run, which gives their items to others.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast._run.maps.map_run import MapRun
from graflow_fast.exceptions import JournalMismatchError

if TYPE_CHECKING:
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.maps.kept import KeptItems
    from graflow_fast._run.maps.map_run import Parts
    from graflow_fast.core.mapping import MapTask


class Maps:
    """The maps of one run."""

    def __init__(self, run: Parts) -> None:
        self.run = run
        self.active: list[MapRun] = []
        #: The map whose results are streamed, where they go, and whether they are kept as well.
        self.streamed: tuple[MapTask, deque[Any], bool] | None = None

    def submit(self, attempt: Attempt) -> None:
        """Begin a map."""
        running = self.run.attempts.running
        attempt.prepare()
        attempt.started = time.time()
        running[attempt.ticket] = attempt
        try:
            found = MapRun(self.run, attempt, self.ended)
        except Exception as error:
            running.pop(attempt.ticket, None)
            attempt.failed(error, is_final=True)
            return
        if self.streamed is not None and self.streamed[0] is attempt.task:
            found.results.sink, found.results.keeps = self.streamed[1:]
        self.active.append(found)
        if found.kept is not None:
            self._go_on(found, found.kept)

    def _go_on(self, found: MapRun, kept: KeptItems) -> None:
        """Let a map of a durable run be where earlier processes had brought it.

        Raises:
            JournalMismatchError: its items are others than they were.
        """
        from graflow_fast._run.maps.restored import take_up

        try:
            take_up(found, kept)
        except JournalMismatchError:  # which is no failure of the task, that somebody may tolerate
            raise
        except Exception as error:
            self.ended(found)
            self.run.attempts.running.pop(found.attempt.ticket, None)
            found.attempt.failed(error, is_final=True)

    def returned_before(self, attempt: Attempt, values: list[Any]) -> None:
        """Stream the results of a map that ended in an earlier process, if they are wanted."""
        if self.streamed is None or self.streamed[0] is not attempt.task:
            return
        if self.streamed[0].on_error == "raise":  # failed items yield nothing, and stand in the list
            values = [value for value in values if not isinstance(value, Exception)]
        self.streamed[1].extend(values)

    def pump(self, timeout: float | None) -> float | None:
        """Hand out what there is room for; return how long to wait at most."""
        done = False
        for found in list(self.active):
            if done and found.place.in_caller:
                continue  # one after the other
            if found.pump():
                done, timeout = True, 0.0
            elif (deadline := found.deadline()) is not None:
                left = max(0.0, deadline - time.monotonic())
                timeout = left if timeout is None else min(timeout, left)
        return timeout

    def blocks(self) -> bool:
        """Say whether a map in the calling thread goes on before anything else is started."""
        return any(found.blocks() for found in self.active)

    def ended(self, found: MapRun) -> None:
        """Forget a map that has ended."""
        self.active.remove(found)
        found.place.close()

    def give_up(self, ticket: int) -> bool:
        """Stop the map of an attempt that no longer matters; False when that is none."""
        given_up = [found for found in self.active if found.attempt.ticket == ticket]
        for found in given_up:
            self.active.remove(found)
            found.abandon()
        return bool(given_up)

    def close(self, interrupted: bool = False) -> None:
        """Stop what is still under way."""
        for found in self.active:
            found.abandon()
        self.active.clear()
