"""The maps of one run: begun, pumped while the run waits, abandoned. What happens in a map is `map_run`'s."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast._run.maps.map_run import MapRun

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast.core.mapping import MapTask


class Maps:
    """The maps of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.active: list[MapRun] = []
        #: The map whose results are streamed, where they go, and whether they are kept as well.
        self.streamed: tuple[MapTask, deque[Any], bool] | None = None

    def start(self, attempt: Attempt) -> None:
        """Begin a map."""
        run = self.run
        run.attempts.prepare(attempt)
        attempt.started = time.time()
        run.attempts.running[attempt.ticket] = attempt
        place = run.placement.of_items(attempt.task, attempt.branch)
        try:
            found = MapRun(self, attempt, place)
        except Exception as error:
            run.attempts.running.pop(attempt.ticket, None)
            run.outcomes.failed_for_good(attempt, error)
            return
        if self.streamed is not None and self.streamed[0] is attempt.task:
            found.results.sink, found.results.keeps = self.streamed[1:]
        self.active.append(found)

    def pump(self, timeout: float | None) -> float | None:
        """Hand out what there is room for; return how long to wait at most."""
        for found in list(self.active):
            if timeout == 0.0 and found.place.in_caller:
                continue  # one after the other
            if found.pump():
                timeout = 0.0
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

    def abandon(self, attempt: Attempt) -> None:
        """Stop the map of an attempt that no longer matters."""
        for found in [found for found in self.active if found.attempt is attempt]:
            self.active.remove(found)
            found.abandon()

    def close(self) -> None:
        """Stop what is still under way."""
        for found in self.active:
            found.abandon()
        self.active.clear()
