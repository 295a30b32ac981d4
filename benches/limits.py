"""Owns the contestants that stand for what is possible: the limit, bare pipes, bare loops, memcpy."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from bodies import spin
from contest import stopwatch
from limit import Loops


class Limit:
    """The limit at so many calls a frame: µs a call."""

    def __init__(self, per_frame: int, each: bool = True) -> None:
        self._loops, self._per_frame = Loops(each=each), per_frame

    def run(self, size: int) -> float:
        return self._loops.run(size, self._per_frame) / size * 1e6

    def close(self) -> None:
        self._loops.close()


class PingPong:
    """A bare round trip of 64 bytes between two Python processes, over two pipes or one socket pair: µs."""

    def __init__(self, kind: str) -> None:
        if kind == "pipe":
            (self._in, their_out), (their_in, self._out) = os.pipe(), os.pipe()
            theirs = [their_in, their_out]
        else:
            here, there = socket.socketpair()
            self._in = self._out = here.detach()
            their_in = their_out = there.detach()
            theirs = [their_in]
        self._child = os.fork()
        if self._child == 0:
            for descriptor in {self._in, self._out}:
                os.close(descriptor)
            while data := os.read(their_in, 64):
                os.write(their_out, data)
            os._exit(0)
        for descriptor in theirs:
            os.close(descriptor)

    def run(self, size: int) -> float:
        message, out, back = b"x" * 64, self._out, self._in

        def work() -> None:
            for _ in range(size):
                os.write(out, message)
                os.read(back, 64)

        return stopwatch(work) / size * 1e6

    def close(self) -> None:
        for descriptor in {self._in, self._out}:
            os.close(descriptor)
        os.waitpid(self._child, 0)


def in_forks(shares: list[Callable[[], object]]) -> float:
    """Seconds until all shares, each in a fork of its own, are done."""

    def work() -> None:
        children = []
        for share in shares:
            child = os.fork()
            if child == 0:
                try:
                    share()
                finally:
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)

    return stopwatch(work)


def spin_many(count: int, seconds: float) -> None:
    """Spin `count` times."""
    for _ in range(count):
        spin(seconds)


class Memcpy:
    """Copy an array of `size` MB: GB/s, into memory already touched or into memory fresh from the system."""

    def __init__(self, fresh: bool) -> None:
        import numpy

        self._numpy: Any = numpy
        self._fresh = fresh

    def run(self, size: int) -> float:
        source = self._numpy.ones(size * 1_000_000, dtype="u1")
        target = self._numpy.zeros_like(source)
        target[:] = 1
        copy = source.copy if self._fresh else lambda: self._numpy.copyto(target, source)
        seconds = stopwatch(copy)
        return size / 1000 / seconds

    def close(self) -> None:
        """Nothing to close."""
