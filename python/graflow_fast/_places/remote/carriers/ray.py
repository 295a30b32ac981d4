"""Stations on the nodes of a Ray cluster: an async actor each, which takes the cores that its bodies use.

Owns what is Ray's: actors, what they take, and what their errors mean. Must not know frames or workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from graflow_fast._extras import import_extra
from graflow_fast._places.remote.carrier import Address, Done, StationGoneError
from graflow_fast._places.remote.station import Station
from graflow_fast.exceptions import ConfigError

IS_NAMED = True

_PURPOSE = "Running on Ray"
_ANSWER = 60.0
_current: dict[str, RayStations] = {}


class RayStations:
    """The nodes of a Ray cluster, as an ``executor=``.

    A station begins on each node and takes its cores (``num_cpus``) for as long as the program uses it.

    Args:
        cpus: how many cores to use on each node; None for all.
        place: "auto": what would run in worker processes; "all": every body.
    """

    name = "ray"
    #: Other users of the cluster wait for what a station has.
    keeps_warm = True

    def __init__(self, cpus: int | None = None, place: str = "auto") -> None:
        self._ray = import_extra("ray", "ray", _PURPOSE)
        self._cpus = cpus
        self.place = place

    def addresses(self) -> list[Address]:
        """Return the nodes that are alive.

        Raises:
            ConfigError: this program has joined no cluster.
        """
        self._join()
        found = []
        for node in self._ray.nodes():
            cpus = int(node["Resources"].get("CPU", 0))
            if node["Alive"] and cpus:
                found.append(Address(node["NodeID"], cpus if self._cpus is None else min(cpus, self._cpus)))
        return found

    def _join(self) -> None:
        if self._ray.is_initialized():
            return
        if not os.environ.get("RAY_ADDRESS"):
            raise ConfigError(
                "executor='ray' joins a Ray cluster, and this program is in none. Call ray.init(...) first, or set "
                "RAY_ADDRESS"
            )
        self._ray.init(log_to_driver=False)

    def ask(self, addresses: Sequence[Address], function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call a function on nodes; return results, or what was raised."""
        remote = self._ray.remote(num_cpus=0, max_retries=0)(function)
        calls = [remote.options(scheduling_strategy=self._on(address)).remote(*arguments) for address in addresses]
        found: list[Any] = []
        for call in calls:
            try:
                found.append(self._ray.get(call, timeout=_ANSWER))
            except Exception as error:
                found.append(error)
        return found

    def _on(self, address: Address) -> Any:
        strategies = self._ray.util.scheduling_strategies
        return strategies.NodeAffinitySchedulingStrategy(address.name, soft=False)

    def open(self, address: Address, given: bytes) -> RayLink:
        """Begin a station on a node."""
        actor = self._ray.remote(Station).options(
            num_cpus=address.slots,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=8,
            scheduling_strategy=self._on(address),
        )
        return RayLink(self._ray, actor.remote(given))

    def close(self) -> None:
        """Nothing: the cluster is its owner's."""


class RayLink:
    """The way to a station: calls of an actor's method."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor

    def exchange(self, blob: bytes, done: Done) -> None:
        """Have a blob exchanged; ``done`` is called in a thread of Ray's."""

        def answered(future: Any) -> None:
            error = future.exception()
            if error is None:
                done(future.result())
            else:
                done(StationGoneError(_shortly(error)) if self._is_gone(error) else error)

        if not self._ray.is_initialized():  # else it would begin a cluster of its own
            raise StationGoneError("this program has left the Ray cluster")
        self._actor.exchange.remote(blob).future().add_done_callback(answered)

    def _is_gone(self, error: BaseException) -> bool:
        """Say whether an error means that the actor will never answer again; it may be unavailable for a moment."""
        errors = self._ray.exceptions
        return isinstance(error, (errors.ActorDiedError, errors.RayTaskError))

    def close(self) -> None:
        """Let go of the actor."""
        if not self._ray.is_initialized():
            return
        with suppress(Exception):
            self._ray.kill(self._actor)


def _shortly(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def carrier_of(value: Any) -> RayStations | None:
    """Return the cluster that is meant by ``"ray"``."""
    if not isinstance(value, str):
        return None
    ray = import_extra("ray", "ray", _PURPOSE)
    session = ray.get_runtime_context().get_job_id() if ray.is_initialized() else ""
    return _current.get(session) or _current.setdefault(session, RayStations())
