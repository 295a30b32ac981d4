"""Stations in the workers of any `concurrent.futures.Executor`: each is one call, which lasts as long as the run.

Owns the calls and the socket by which they are reached: an abstract Unix socket with a key, so workers must be on this
machine. There is no other way back from a call of an executor. Must not know frames or workers.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from graflow_fast._places.remote.carrier import Address
from graflow_fast._places.remote.streams import StreamLink, serve
from graflow_fast.exceptions import ConfigError

#: Seconds for an executor to answer a question: it may be busy with its owner's work.
_ANSWER = 60.0
_KEY_BYTES = 16


class ExecutorStations:
    """The workers of an executor.

    Args:
        executor: the executor; its processes must be on this machine.
    """

    name = "executor"
    place = "auto"
    #: A station takes a worker of the executor for as long as it is there, which is its owner's.
    keeps_warm = False

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._listener: socket.socket | None = None
        self._expected: dict[bytes, StreamLink] = {}
        self.name = type(executor).__name__

    def addresses(self) -> list[Address]:
        """Return a place for each of its workers."""
        count = getattr(self._executor, "_max_workers", None)
        if not isinstance(count, int):
            raise ConfigError(f"executor={self.name} does not say how many workers it has (_max_workers)")
        return [Address(f"{self.name}[{index}]", 1) for index in range(count)]

    def ask(self, addresses: Sequence[Address], function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a function on one worker; all are the same."""
        try:
            found = self._executor.submit(_called, _code_of(function), arguments).result(_ANSWER)
        except Exception as error:
            found = error
        return [found] * len(addresses)

    def open(self, address: Address, given: bytes) -> StreamLink:
        """Have a worker be a station."""
        if self._listener is None:
            self._listener = _listen()
            accepts = threading.Thread(
                target=self._accept, args=(self._listener,), name="graflow_fast_accept", daemon=True
            )
            accepts.start()
        key = secrets.token_bytes(_KEY_BYTES)
        link = self._expected[key] = StreamLink(given)
        future = self._executor.submit(_be_station, self._listener.getsockname(), key)
        future.add_done_callback(lambda future: _note_end(link, future))
        return link

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                link = self._expected.pop(_key_of(connection), None)
                if link is None:
                    connection.close()
                else:
                    link.connect(connection)

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who accepts
            self._listener.close()
            self._listener = None


def carrier_of(value: Any) -> ExecutorStations | None:
    """Return the executor that is meant, if it is one."""
    if not isinstance(value, Executor):
        return None
    if isinstance(value, ThreadPoolExecutor):
        raise ConfigError("executor=ThreadPoolExecutor: threads of this program are executor='thread'")
    if type(value).__module__.startswith("graflow_fast."):
        raise ConfigError("executor=graflow_fast.Executor: workers of this program are executor='process' or 'auto'")
    return ExecutorStations(value)


def _listen() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"\0graflow_fast-{secrets.token_hex(8)}")
    listener.listen(128)
    return listener


def _key_of(connection: socket.socket) -> bytes:
    """Return what a caller says first, nothing if it is another user's."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    if user != os.getuid():
        return b""
    connection.settimeout(10.0)
    try:
        return connection.recv(_KEY_BYTES, socket.MSG_WAITALL)
    except OSError:
        return b""
    finally:
        connection.settimeout(None)


def _note_end(link: StreamLink, future: Future[None]) -> None:
    if future.cancelled():
        link.why = "its call was cancelled"
    elif (error := future.exception()) is not None:
        link.why = f"{type(error).__name__}: {error}"
    link.end()


def _code_of(function: Callable[..., Any]) -> tuple[bytes, str]:
    import marshal

    return marshal.dumps(function.__code__), function.__name__


def _called(code: tuple[bytes, str], arguments: tuple[Any, ...]) -> Any:
    """Call, in a worker, a function that crosses as its code: not all executors pickle functions by value."""
    import marshal
    import types

    return types.FunctionType(marshal.loads(code[0]), {"__builtins__": __builtins__}, code[1])(*arguments)


def _be_station(address: bytes, key: bytes) -> None:
    """Be a station, in a worker of the executor, until the head has no use for it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except OSError as error:
        raise RuntimeError(
            f"this worker of the executor can't reach the program ({error}): it must be on the same machine. "
            "Use Dask or Ray for others"
        ) from None
    connection.sendall(key)
    with connection:
        serve(connection)
