"""Owns the limit: what two Python loops over a socket pair reach, with nothing else in the way.

One process sends frames of pickled calls `(function number, argument)`, the other calls and sends a frame of pickled
results back, with one frame in flight. There is no scheduler, no retry, no effect and no error handling.

Each call and each result is a pickle of its own (`each=True`), because a task that is retried, moved to another worker
or reported alone must be separable from its neighbours. That is the definition the budgets' figures belong to. Pickling
a whole frame at once (`each=False`) is several times cheaper for no-op calls; it is measured too and printed beside it,
but no goal refers to it.
"""

from __future__ import annotations

import argparse
import os
import pickle
import socket
import statistics
import struct
import time
from collections.abc import Callable
from typing import Any

CALLS_PER_FRAME = (1, 10, 100, 1000)
_LENGTH = struct.Struct("<I")


def noop(item: Any = None) -> None:
    """Do nothing: the body of all no-op rows."""


class Loops:
    """Two processes over a socket pair: this one calls, the forked one answers."""

    def __init__(self, function: Callable[[Any], Any] = noop, each: bool = True) -> None:
        self._each = each
        here, there = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            here.close()
            try:
                _serve(there, [function], each)
            finally:
                os._exit(0)
        there.close()
        self._socket = here
        self._stream = here.makefile("rb", buffering=1 << 16)

    def run(self, calls: int, per_frame: int) -> float:
        """Make `calls` calls in frames of `per_frame`; seconds for all of them."""
        pack, unpack = _PICKLERS[self._each]
        connection, stream = self._socket, self._stream
        answered = 0
        started = time.perf_counter()
        for first in range(0, calls, per_frame):
            _send(connection, pack([(0, number) for number in range(first, min(first + per_frame, calls))]))
            answered += len(unpack(_receive(stream)))
        seconds = time.perf_counter() - started
        if answered != calls:
            raise RuntimeError(f"{calls} calls, {answered} answers")
        return seconds

    def close(self) -> None:
        """End the forked loop and reap it."""
        self._stream.close()
        self._socket.close()
        os.waitpid(self._child, 0)


def _serve(connection: socket.socket, functions: list[Callable[[Any], Any]], each: bool) -> None:
    pack, unpack = _PICKLERS[each]
    stream = connection.makefile("rb", buffering=1 << 16)
    while True:
        try:
            calls = unpack(_receive(stream))
        except EOFError:
            return
        _send(connection, pack([functions[number](argument) for number, argument in calls]))


def _pack_each(messages: list[Any]) -> bytes:
    parts = [pickle.dumps(message, pickle.HIGHEST_PROTOCOL) for message in messages]
    return b"".join([struct.pack(f"<I{len(parts)}I", len(parts), *map(len, parts)), *parts])


def _unpack_each(frame: bytes) -> list[Any]:
    (count,) = _LENGTH.unpack_from(frame)
    view, offset, messages = memoryview(frame), 4 * (count + 1), []
    for length in struct.unpack_from(f"<{count}I", frame, 4):
        messages.append(pickle.loads(view[offset : offset + length]))
        offset += length
    return messages


def _pack_whole(messages: list[Any]) -> bytes:
    return pickle.dumps(messages, pickle.HIGHEST_PROTOCOL)


_Pack = Callable[[list[Any]], bytes]
_Unpack = Callable[[bytes], list[Any]]
_PICKLERS: dict[bool, tuple[_Pack, _Unpack]] = {True: (_pack_each, _unpack_each), False: (_pack_whole, pickle.loads)}


def _send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(body)) + body)


def _receive(stream: Any) -> bytes:
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    body: bytes = stream.read(_LENGTH.unpack(head)[0])
    return body


def measure(per_frame: int, calls: int, repeats: int = 3, each: bool = True) -> float:
    """Microseconds per call at `per_frame` calls a frame, the median of `repeats` runs after one to warm up."""
    loops = Loops(each=each)
    try:
        loops.run(min(calls, 1000), per_frame)
        return statistics.median(loops.run(calls, per_frame) for _ in range(repeats)) / calls * 1e6
    finally:
        loops.close()


def main() -> None:
    """Print the limit for 1, 10, 100 and 1000 calls a frame."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    arguments = parser.parse_args()
    for per_frame in CALLS_PER_FRAME:
        calls = arguments.calls if per_frame > 1 else max(1, arguments.calls // 4)
        each, whole = measure(per_frame, calls), measure(per_frame, calls, each=False)
        print(f"{per_frame:>5} calls a frame: {each:7.2f} µs per call ({whole:.2f} with each frame pickled as a whole)")


if __name__ == "__main__":
    main()
