"""The pool of a station: processes, their descriptors and files, without a core that gives out tasks.

Owns what `_pool.process_pool` does for a coordinator, done for a head that is elsewhere: the numbers of workers are the
head's, and what they write to their files is read for it. Must not know frames, nor who is told.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from graflow_fast._core import FarWorker
from graflow_fast._pool.process_pool import ProcessPool
from graflow_fast._pool.starting import environment
from graflow_fast._wire import journal

#: Bytes of a file that are told at a time.
_PART = 1 << 20


class Links:
    """What stands for a core: the workers' links by number."""

    def __init__(self, shift: int, watch: Callable[[int, FarWorker], None]) -> None:
        self._shift = shift
        self._watch = watch
        self.workers_by_number: dict[int, FarWorker] = {}
        #: Numbers for workers that are about to be added.
        self.numbers: deque[int] = deque()
        self.live_epoch = 0

    def set_capacity(self, workers: int) -> None:
        """Nothing: nobody asks for workers here."""

    def add_worker(self, link: int, claims: int, pid: int) -> int:
        """Take over the descriptors of a worker."""
        number = self.numbers.popleft()
        os.set_blocking(link, False)
        worker = self.workers_by_number[number] = FarWorker(link, claims, self._shift)
        worker.set_live_epoch(self.live_epoch)
        self._watch(number, worker)
        return number

    def set_process(self, number: int, pid: int, pidfd: int) -> None:
        """Let go of the descriptor: the end of a worker is seen at its link."""
        os.close(pidfd)

    def remove_worker(self, number: int) -> None:
        """Close a link."""
        self.workers_by_number.pop(number, None)

    def workers(self) -> list[int]:
        """Return the numbers of all."""
        return list(self.workers_by_number)

    def has_closed_its_link(self, number: int) -> bool:
        """Return False: the head's copy of the claims tells."""
        return False

    def kill_worker(self, number: int) -> bool:
        """Return False: the template does it."""
        return False


class FarPool(ProcessPool):
    """The processes of one station.

    Args:
        given: by the head: ``slots``, ``shift``, ``boot`` (what workers find around them), ``environment`` (their
            variables; None: those of this process).
        watch: is told of each new worker.
    """

    def __init__(self, given: dict[str, Any], watch: Callable[[int, FarWorker], None]) -> None:
        super().__init__(given["slots"])
        self._given = given
        self._links = Links(given["shift"], watch)
        #: By worker: whose words its journal has, and how far they have been told.
        self._said: dict[int, tuple[int | None, int]] = {}
        #: By worker: its process, once it is there.
        self.processes: dict[int, int] = {}

    @property
    def links(self) -> dict[int, FarWorker]:
        """The workers there are, by number."""
        return self._links.workers_by_number

    def set_live_epoch(self, epoch: int) -> None:
        """Announce an epoch of live keys to all workers."""
        self._links.live_epoch = epoch
        for worker in self.links.values():
            worker.set_live_epoch(epoch)

    def fork_as(self, number: int) -> None:
        """Begin starting a worker under that number.

        Raises:
            CannotStart: none can be started.
        """
        self._links.numbers.append(number)
        try:
            self._wanted = len(self.links) + len(self._links.numbers)
            if self._core is None:
                self.start()
            else:
                self.refill()
        finally:
            self._links.numbers.clear()

    def is_awaited(self) -> bool:
        """Say whether workers were asked for that are not known to be there."""
        return bool(self._awaited)

    def started(self) -> list[tuple[int, int]]:
        """Return which of them are there by now, and their processes.

        Raises:
            CannotStart: they can't be started.
        """
        before = list(self._awaited)
        self.gather()
        if self._failure is not None:
            self.check_failure()
        found = [(number, self._workers[number].pid) for number in before if number in self.links]
        self.processes.update(found)
        return found

    def exit_of(self, number: int) -> tuple[int, int] | None:
        """Return wait status and peak memory of a worker whose link has ended; None if it had to be ended."""
        self.gather()
        found = self._workers[number]
        was_killed_here = self.find_exit(found)
        return None if was_killed_here else found.exit

    def drop(self, number: int) -> None:
        """Let go of a worker that has ended, or that the head has no use for."""
        self._links.remove_worker(number)
        self._said.pop(number, None)
        self.processes.pop(number, None)
        found = self._workers.pop(number, None)
        if found is not None:
            found.close()

    def grown(self, number: int, with_journal: bool) -> Iterator[tuple[int, int, bytes]]:
        """Yield what has come to a worker's files since the last call: which one, where, and the bytes."""
        found = self._workers.get(number)
        if found is None:
            return
        for index, stream in enumerate((found.stdout, found.stderr)):
            at = stream.read_to
            content = stream.drain()
            if content:
                yield index, at, content
        if with_journal:
            ticket = journal.speaker(found.journal.fd)
            before, at = self._said.get(number, (None, 0))
            start = at if before == ticket else 0
            _, end = (None, 0) if ticket is None else journal.read(found.journal.fd, ticket, start)
            self._said[number] = ticket, end
            while start < end:
                part = os.pread(found.journal.fd, min(_PART, end - start), start)
                yield 2, start, part
                start += len(part)

    def _new_core(self) -> Any:
        return self._links

    def _boot(self) -> dict[str, object]:
        return dict(self._given["boot"], loop=self.loop)

    def _environment(self) -> dict[str, str]:
        own = environment(self.size)
        if not self._given["shares"]:
            own["GRAFLOW_FAST_SHM_MIN"] = str(1 << 62)  # what is in memory here, nobody there can open
        given: dict[str, str] | None = self._given["environment"]
        if given is None:
            return own
        # The depth of pools and the number of threads are this process's to say.
        kept = {name: value for name, value in own.items() if os.environ.get(name) != value}
        return {**given, **kept}
