"""One worker process, as the coordinator knows it: its number, its process, its files of output, how it ended.

Owns these files. Must not know links, claims or other workers.
"""

from __future__ import annotations

from graflow_fast._pool.lost import Piece
from graflow_fast._pool.output import Stream
from graflow_fast._pool.written import Written
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
        streams: list[Stream] = []
        try:
            for name in ("graflow-stdout", "graflow-stderr", "graflow-journal"):
                streams.append(Stream(name))
        except OSError:
            for stream in streams:
                stream.close()
            raise
        self.stdout, self.stderr, self.journal = streams

    def descriptors(self) -> list[int]:
        """The files that its process writes to: standard output, standard error, journal."""
        return [self.stdout.fd, self.stderr.fd, self.journal.fd]

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
            return Written(at, (self.stdout.drain(), self.stderr.drain()))
        return Written(at, (self.stdout.drain(until[0]), self.stderr.drain(until[1])))

    def written_lines(self) -> list[Piece]:
        """What `written` would return, but whole lines only."""
        found = ((STDOUT, self.stdout.drain_lines()), (STDERR, self.stderr.drain_lines()))
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
