"""Exchanges over a stream socket, for carriers that have nothing better: both ends of one.

Owns how a blob and its answer are told apart on a stream. Must not know what is in a blob, nor who made the socket.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from functools import partial

from graflow_fast._places.remote.carrier import Done, StationGoneError
from graflow_fast._places.remote.station import Call, Station

#: Number of the exchange, length of the blob.
_HEAD = struct.Struct("<QQ")


class StreamLink:
    """The head's end. It may be given its socket later; until then blobs wait.

    Attributes:
        why: what is said of a station whose socket has ended.
    """

    def __init__(self, given: bytes) -> None:
        self.why = "its process has ended"
        self._given = given
        self._socket: socket.socket | None = None
        self._number = 0
        self._waiting: dict[int, Done] = {}
        self._early: list[tuple[int, bytes]] = []
        self._guard = threading.Lock()
        self._has_ended = False

    def connect(self, connection: socket.socket) -> None:
        """Use this socket from now on."""
        with self._guard:
            self._socket = connection
            _send(connection, 0, self._given)
            for number, blob in self._early:
                _send(connection, number, blob)
            self._early.clear()
        threading.Thread(target=self._listen, name="graflow_fast_stream", daemon=True).start()

    def exchange(self, blob: bytes, done: Done) -> None:
        """Send a blob; ``done`` is called in a thread of its own when its answer comes."""
        with self._guard:
            if self._has_ended:
                raise StationGoneError(self.why)
            self._number += 1
            self._waiting[self._number] = done
            if self._socket is None:
                self._early.append((self._number, blob))
                return
            with suppress(OSError):  # `_listen` sees that it has ended
                _send(self._socket, self._number, blob)

    def _listen(self) -> None:
        assert self._socket is not None
        with suppress(OSError):
            while (found := _receive(self._socket)) is not None:
                with self._guard:
                    done = self._waiting.pop(found[0], None)
                if done is not None:
                    done(found[1])
        self.end()

    def end(self) -> None:
        """Note that no answer will come any more."""
        with self._guard:
            self._has_ended = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for done in waiting:
            done(StationGoneError(self.why))

    def close(self) -> None:
        """Close the socket, which ends the station."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


def serve(connection: socket.socket) -> None:
    """Be a station at the other end of a socket until it is closed."""
    first = _receive(connection)
    if first is None:
        return
    station = Station(first[1])
    guard = threading.Lock()

    def answer(number: int, call: Call) -> None:
        blob = station.leave(call)
        with guard, suppress(OSError):
            _send(connection, number, blob)

    try:
        while (found := _receive(connection)) is not None:
            number, blob = found
            call = Call(lambda: None)
            call.ready = partial(answer, number, call)
            if station.arrive(blob, call):
                answer(number, call)
    except OSError:
        pass
    finally:
        station.close()


def _send(connection: socket.socket, number: int, blob: bytes) -> None:
    connection.sendall(_HEAD.pack(number, len(blob)) + blob)


def _receive(connection: socket.socket) -> tuple[int, bytes] | None:
    head = _exactly(connection, _HEAD.size)
    if head is None:
        return None
    number, length = _HEAD.unpack(head)
    blob = _exactly(connection, length)
    return None if blob is None else (number, blob)


def _exactly(connection: socket.socket, length: int) -> bytes | None:
    """Return so many bytes, None when the stream ends before."""
    parts = []
    while length:
        part = connection.recv(min(length, 1 << 20))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
