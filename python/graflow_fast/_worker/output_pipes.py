"""The pipes behind descriptors 1 and 2 of workers, emptied by the template while bodies run, so that nobody waits.

Owns when that is done. A worker does it itself after each body, so most of the time nothing is left for this; where
what is written goes, and how several processes share that work, is in `rust/pool/src/output.rs`. Must not know tasks.
"""

from __future__ import annotations

# A cold start waits for these: see `template`.
import os
import select
import time

from graflow_fast._core import gather_output

_NEVER = float("inf")
#: Seconds from the first news of a pipe until it is emptied, if little was in it the last time: most is gone by then.
_LONGEST_NAP = 0.005
_SHORTEST_NAP = 0.0005
#: Bytes that a pipe has room for, and one through which much comes. All pipes of a user together have a limit.
_ROOM, _LARGE_ROOM = 1 << 16, 1 << 20
#: Parts of that room that are much, and little.
_MUCH, _LITTLE = 2, 8
#: Bytes that are dropped at a time.
_READ = 1 << 16


class _Pipe:
    """One of them. `file` and `news` are -1 when its worker is gone."""

    __slots__ = ("fd", "file", "nap", "news", "number", "room")

    def __init__(self, number: int, fd: int, file: int, news: int) -> None:
        self.number, self.fd, self.file, self.news = number, fd, file, news
        self.nap = _LONGEST_NAP
        self.room = _ROOM

    def adapt(self, moved: int) -> None:
        """Be emptied sooner, and have more room, if much was found in it; later if little was."""
        if moved >= self.room // _MUCH:
            self.nap = max(_SHORTEST_NAP, self.nap / 4)
            if self.room < _LARGE_ROOM:
                self.room = self._enlarged()
        elif moved < self.room // _LITTLE:
            self.nap = min(_LONGEST_NAP, self.nap * 2)

    def _enlarged(self) -> int:
        import fcntl  # rarely needed

        try:
            return fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, _LARGE_ROOM)
        except OSError:
            return _ROOM  # the limit is reached


class OutputPipes:
    """Those of all workers of a template.

    Args:
        poller: where they are watched as long as nothing is known to be in them.
    """

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._pipes: dict[int, _Pipe] = {}
        self._due: dict[int, float] = {}

    def add(self, number: int, pipes: list[int], files: list[int], news: int) -> None:
        """Take over a worker's."""
        for fd, file in zip(pipes, files, strict=True):
            self._pipes[fd] = _Pipe(number, fd, file, news)
            self._poller.register(fd, select.POLLIN)

    def take(self, fd: int, event: int) -> bool:
        """Take in what the poller says of a descriptor; False if it is none of these."""
        pipe = self._pipes.get(fd)
        if pipe is None:
            return False
        if event & select.POLLIN:
            self._poller.unregister(fd)
            self._due[fd] = time.monotonic() + pipe.nap
        elif pipe.file < 0:
            self._close(pipe)  # nobody is left who could write to it
        else:
            self._poller.unregister(fd)  # the body has closed all it had, and will hear of it
        return True

    def next_due(self) -> float:
        """When `empty_due` has something to do, by the monotonic clock."""
        return min(self._due.values(), default=_NEVER)

    def empty_due(self) -> None:
        """Empty those whose time has come."""
        now = time.monotonic()
        for fd in [fd for fd, due in self._due.items() if due <= now]:
            del self._due[fd]
            self._empty(self._pipes[fd])
            self._poller.register(fd, select.POLLIN)

    def end(self, number: int) -> None:
        """Empty those of a worker that is gone; what others still write to them is dropped from now on."""
        ended = [pipe for pipe in self._pipes.values() if pipe.number == number]
        for pipe in ended:
            self._empty(pipe)
        for fd in {pipe.news for pipe in ended}.union(pipe.file for pipe in ended):
            os.close(fd)
        for pipe in ended:
            pipe.file = pipe.news = -1
            if pipe.fd not in self._due:
                self._poller.register(pipe.fd, select.POLLIN)

    def _empty(self, pipe: _Pipe) -> None:
        try:
            if pipe.file < 0:
                os.read(pipe.fd, _READ)
                return
            moved = gather_output(pipe.fd, pipe.file, pipe.news)
        except OSError:
            return  # there was nothing, or no room for it, which the worker tells of
        if moved is not None:  # else another process is at it
            pipe.adapt(moved)

    def _close(self, pipe: _Pipe) -> None:
        self._poller.unregister(pipe.fd)
        del self._pipes[pipe.fd]
        os.close(pipe.fd)
