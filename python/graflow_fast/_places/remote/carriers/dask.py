"""Stations on the workers of a Dask cluster: an async actor each, which runs on the worker's event loop.

Owns what is Dask's: clients, actors, and what their errors mean. Must not know frames or workers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from graflow_fast._extras import import_extra
from graflow_fast._places.remote.carrier import Address, Done, StationGoneError
from graflow_fast._places.remote.station import Station
from graflow_fast.exceptions import ConfigError

IS_NAMED = True

_PURPOSE = "Running on Dask"
#: Seconds for a question to workers, and for a station to be there.
_ANSWER = 30.0
_known: WeakValueDictionary[Any, DaskStations] = WeakValueDictionary()


class DaskStations:
    """The workers of a Dask cluster, as an ``executor=``.

    A station begins on each worker and stays as long as the client, so that the next run finds it warm. It runs as many
    bodies at once as the worker has threads, in processes of its own.

    Args:
        client: the client; None for the current one.
        workers: the addresses of the workers to use; None for all.
        place: "auto": what would run in worker processes; "all": every body.
    """

    name = "dask"
    keeps_warm = True

    def __init__(self, client: Any = None, workers: Sequence[str] | None = None, place: str = "auto") -> None:
        self._distributed = import_extra("distributed", "dask", _PURPOSE)
        self._client = _current_client(self._distributed) if client is None else client
        self.place = place
        self._chosen = None if workers is None else set(workers)
        if getattr(self._client, "asynchronous", False):
            raise ConfigError(
                "executor=<dask client>: an asynchronous client can't be used; make one without asynchronous"
            )

    def addresses(self) -> list[Address]:
        """Return the cluster's workers as they are now.

        Raises:
            ConfigError: the client is closed.
        """
        if self._client.status not in ("running", "connecting"):
            raise ConfigError(f"The Dask client is {self._client.status}: make another one, or say executor='process'")
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return [
            Address(name, info["nthreads"])
            for name, info in workers.items()
            if self._chosen is None or name in self._chosen
        ]

    def ask(self, addresses: Sequence[Address], function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a function on workers; return results, or what was raised."""
        names = [address.name for address in addresses]
        found = self._client.run(function, *arguments, workers=names, on_error="return") if names else {}
        return [found.get(name, StationGoneError("it is gone")) for name in names]

    def open(self, address: Address, given: bytes) -> DaskLink:
        """Begin a station on a worker."""
        future = self._client.submit(
            Station, given, actor=True, workers=[address.name], pure=False, allow_other_workers=False
        )
        return DaskLink(self._client, future)

    def close(self) -> None:
        """Nothing: the client is its owner's."""


class DaskLink:
    """The way to a station: calls of an actor's method."""

    def __init__(self, client: Any, future: Any) -> None:
        self._client = client
        self._future = future
        self._actor: Any = None
        self._opening = asyncio.Lock()

    def exchange(self, blob: bytes, done: Done) -> None:
        """Have a blob exchanged; ``done`` is called on the client's event loop."""
        loop = self._client.loop.asyncio_loop
        if self._client.status == "closed" or not loop.is_running():
            raise StationGoneError("the Dask client was closed")
        asyncio.run_coroutine_threadsafe(self._call(blob, done), loop)

    async def _call(self, blob: bytes, done: Done) -> None:
        try:
            if self._actor is None:
                async with self._opening:
                    self._actor = self._actor or await asyncio.wait_for(self._future, _ANSWER)
            answer = await self._actor.exchange(blob)
        except Exception as error:
            if self._is_gone(error):
                done(StationGoneError(str(error)))
            else:
                done(error)
        else:
            done(answer)

    def _is_gone(self, error: Exception) -> bool:
        """Say whether an error means that the actor will never answer again."""
        return self._future.status in ("error", "cancelled", "lost") or isinstance(error, (KeyError, ValueError))

    def close(self) -> None:
        """Let go of the actor."""
        with suppress(Exception):
            self._future.release()


def carrier_of(value: Any) -> DaskStations | None:
    """Return the cluster that is meant by a client, ``"dask"`` (the current client) or ``"dask://host:port"``."""
    if isinstance(value, str):
        distributed = import_extra("distributed", "dask", _PURPOSE)
        _, _, address = value.partition("://")
        if not address:
            return _kept(_current_client(distributed))
        key = f"tcp://{address}"
        found = _known.get(key)
        if found is None:
            found = _known[key] = DaskStations(distributed.Client(key, set_as_default=False))
        return found
    distributed = sys.modules.get("distributed")
    if distributed is not None and isinstance(value, distributed.Client):
        return _kept(value)
    return None


def _kept(client: Any) -> DaskStations:
    found = _known.get(client.id)
    if found is None:
        found = _known[client.id] = DaskStations(client)
    return found


def _current_client(distributed: Any) -> Any:
    try:
        return distributed.get_client()
    except ValueError:
        raise ConfigError(
            "executor='dask' uses the current Dask client, and there is none. Make one first "
            "(from distributed import Client; Client('tcp://host:8786')), or say executor='dask://host:8786'"
        ) from None
