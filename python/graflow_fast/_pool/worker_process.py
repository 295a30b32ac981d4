"""One worker process, as the coordinator knows it: its number, its process, its files of output, how it ended.

Owns these files. Must not know links, claims or other workers.
"""

from __future__ import annotations

import contextlib

from graflow_fast._pool.lost import Piece
from graflow_fast._pool.output import PipedStream, Stream
from graflow_fast._pool.written import MISSED, Written
from graflow_fast._wire.crossing import STDERR, STDOUT


class WorkerProcess:
    """A worker that was asked for; its process may not be there yet.

    Attributes:
        number: what the pool, the core and the template call it.
        pid: its process, 0 as long as that is not known.
        exit: its wait status and peak memory in bytes, once that is known.
    """

    def __init__(self) -> None:
        self.number = -1
        self.pid = 0
        self.exit: tuple[int, int] | None = None
        with contextlib.ExitStack() as opened:
            self.stdout = PipedStream("graflow-stdout")
            opened.callback(self.stdout.close)
            self.stderr = PipedStream("graflow-stderr")
            opened.callback(self.stderr.close)
            self.journal = Stream("graflow-journal")
            opened.pop_all()

    def descriptors(self) -> list[int]:
        """What its process writes to: the journal; files, pipes and their entries for standard output and error."""
        both = self.stdout, self.stderr
        return [
            self.journal.fd,
            *[each.fd for each in both],
            *[each.pipe for each in both],
            *[each.entry for each in both],
        ]

    def hand_over(self) -> None:
        """Let go of what is its process's alone, now that it was sent."""
        self.stdout.hand_over()
        self.stderr.hand_over()

    def end(self) -> None:
        """Take in what its process has left in the pipes, now that it is gone."""
        for stream in (self.stdout, self.stderr):
            stream.gather()
            stream.end()

    def said(self, ticket: int, at: int = 0) -> tuple[list[Piece], int]:
        """What a task has printed, logged and warned so far, from a place on; and where that ends."""
        from graflow_fast._wire import journal

        return journal.read(self.journal.fd, ticket, at)

    def speaker(self) -> int | None:
        """The ticket of the task that said something last, if any did."""
        from graflow_fast._wire import journal

        return journal.speaker(self.journal.fd)

    def written(self, until: tuple[int, int] | None = None) -> Written:
        """What it has written to its descriptors since the last call, up to these positions."""
        at = self.stdout.read_to, self.stderr.read_to
        if until is None:
            self.stdout.gather()
            self.stderr.gather()
            return Written(at, (self.stdout.drain(), self.stderr.drain()))
        data = self.stdout.drain(until[0]), self.stderr.drain(until[1] & ~MISSED)
        return Written(at, data, has_missed=bool(until[1] & MISSED))

    def lengths(self) -> tuple[int, int]:
        """Up to where its descriptors have been written."""
        return self.stdout.length(), self.stderr.length()

    def written_lines(self, until: tuple[int, int]) -> list[Piece]:
        """What `written` would return, but whole lines only."""
        found = ((STDOUT, self.stdout.drain_lines(until[0])), (STDERR, self.stderr.drain_lines(until[1])))
        return [(kind, data.decode(errors="replace")) for kind, data in found if data]

    def skip_written(self) -> None:
        """Let nothing come of what it has written so far: nobody has asked, and the next run is another's."""
        self.stdout.skip()
        self.stderr.skip()

    def close(self) -> None:
        """Let go of its files."""
        self.stdout.close()
        self.stderr.close()
        self.journal.close()
