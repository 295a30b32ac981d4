"""What a resumed run does first: everything that ended in earlier processes ends again, without any body.

Owns the order (that of the entries) and the comparison with what the scheduler starts. How effects are applied is the
same code that applied them the first time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._actions import ABANDON, FINISHED, RUN
from graflow_fast._body.packing import unpacked
from graflow_fast._body.scope import BranchChannel, LiveStore
from graflow_fast._body.scope import replay as replay_writes
from graflow_fast._run.journal import wishes
from graflow_fast._run.journal.entries import DONE, NOT_KEPT, TOUCHED, load_error, opened, restored
from graflow_fast._run.journal.transient import made_again
from graflow_fast.exceptions import JournalMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._actions import Action
    from graflow_fast._core import Scheduler
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.journal.entries import Entry, Found
    from graflow_fast._run.journal.journal import Journal, Key
    from graflow_fast._run.nodes import NodeTable

    class Maps(Protocol):
        """What hands out the results of a map as they come."""

        def returned_before(self, attempt: Attempt, values: list[Any]) -> None:
            """Hand out those of one that ended before."""

    class Parts(Protocol):
        """What of a run ends attempts."""

        scheduler: Scheduler
        nodes: NodeTable
        attempts: Attempts
        failures: Failures
        live: LiveStore
        bodies: Bodies
        places: Places

        def map_side(self) -> Maps:
            """Return what runs its maps."""


class Replay:
    """Lets a run catch up with its journal."""

    def __init__(self, run: Parts, journal: Journal, notice: Callable[[Action], object]) -> None:
        self._run = run
        self._journal = journal
        #: Carries out an action that starts no body.
        self._notice = notice
        #: What has begun and not ended, in order.
        self._begun: dict[Key, Action] = {}
        #: What the scheduler has asked for that is not taken up yet.
        self._ahead: Action | None = None
        #: What to add to the time of day for this process's monotonic clock.
        self._offset = time.monotonic() - time.time()
        self._nothing_live = LiveStore(run.live.root)

    def catch_up(self) -> list[Action]:
        """End all that has ended before; return the actions whose bodies had begun at most, which are to run now.

        Raises:
            JournalMismatchError: the journal has something that the program does not start.
        """
        journal = self._journal
        recorded = journal.recorded
        assert recorded is not None
        journal.replaying = True
        try:
            steps = recorded.steps
            place = -1
            while (place := self._plain_until(steps, place + 1)) < len(steps):
                entry = opened(steps[place])
                if entry[0] in (DONE, TOUCHED):
                    journal.live.again(entry)
                    continue
                self._go_to(entry[7][0] if entry[0] == "returned" else 0.0)
                action = self._begin(entry, place)
                self._go_to(entry[2])
                self._end(entry, action)
        finally:
            journal.replaying = False
            journal.time = 0.0
        return list(self._begun.values())

    def _plain_until(self, steps: list[Found], place: int) -> int:
        """End plain steps from a place on, the short way; return the place of the first that is none."""
        if place < len(steps) and type(steps[place]) is bytes and not self._begun:
            plain, journal = self._run.places.plain_steps, self._journal
            if plain is not None:
                place, action, journal.time = plain.core.catch_up(steps, place, self._offset, journal.time)
                self._ahead = action
        return place

    def _go_to(self, time_of_day: float) -> None:
        """Let it be that time, unless it is later already."""
        self._journal.time = max(self._journal.time, time_of_day + self._offset, 1e-6)

    def start_time(self) -> float:
        """Return when the run began, on this process's monotonic clock."""
        recorded = self._journal.recorded
        assert recorded is not None
        began: Any = recorded.begin["time"]
        return max(1e-6, float(began) + self._offset)

    def _begin(self, entry: Entry, place: int) -> Action:
        """Let the scheduler go on until an attempt has begun; return the action that asked for it."""
        key: Key = entry[1]
        scheduler, journal = self._run.scheduler, self._journal
        while key not in self._begun:
            action, self._ahead = self._ahead or scheduler.next(journal.time), None
            if action is None:
                deadline = scheduler.deadline()
                if deadline is None or deadline <= journal.time:
                    raise self._mismatch(key, place)
                journal.time = deadline  # the wall clock was set in between
                continue
            if action[0] == FINISHED:
                raise self._mismatch(key, place)
            self._take_up(action)
        return self._begun.pop(key)

    def _take_up(self, action: Action) -> None:
        """Note what has begun; carry out what starts no body."""
        kind, ticket, node, branch_id, *_ = action
        if kind == RUN:
            self._begun[self._journal.key_of(ticket, node, branch_id)] = action
        elif kind != ABANDON or not self._gave_up(ticket, node):
            self._notice(action)

    def _gave_up(self, ticket: int, node: int) -> bool:
        """Forget what had begun and was given up; False when it was something else."""
        for key, action in self._begun.items():
            if action[1] == ticket:
                del self._begun[key]
                self._run.failures.given_up.add(node)
                return True
        return False

    def _end(self, entry: Entry, action: Action) -> None:
        """Apply how an attempt ended."""
        attempt = self._run.attempts.of_action(action)
        attempt.prepare()
        if entry[0] == "returned":
            _, _, _, result, written, wanted, attempt.handled, times = entry
            attempt.started, attempt.ended = times
            self._write(attempt, written)
            asked = None if wanted is None else wishes.restored(self._run.nodes, attempt, wanted)
            if attempt.task.is_map:
                self._run.map_side().returned_before(attempt, unpacked(restored(result)))
            attempt.returned(made_again(self._run, attempt) if result == NOT_KEPT else restored(result), asked)
            return
        _, _, at, error, written, self._journal.delay, is_final, attempt.handled = entry
        attempt.ended = at
        self._write(attempt, written)
        attempt.failed(load_error(error), is_final=is_final)

    def _write(self, attempt: Attempt, written: list[tuple[Any, ...]]) -> None:
        log = [(operation, key, restored(value), expires) for operation, key, value, expires in written]
        channel = attempt.branch.channel
        # What the workflow's own tasks write to a live key in this process is no live operation.
        replay_writes(log, channel, self._run.live if isinstance(channel, BranchChannel) else self._nothing_live)

    def _mismatch(self, key: Key, place: int) -> JournalMismatchError:
        branch, name, count = key
        groups = "".join(f" in member {index} of group '{group}'" for group, _, index in branch)
        return JournalMismatchError(
            name,
            f"its attempt {count + 1}{groups} ended before (entry {place + 1}), but does not begin in this program",
        )
