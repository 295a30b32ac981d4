"""A carrier for tests: stations in child processes, over a way that loses, repeats, delays and reorders blobs.

Owns the processes and the faults. Knows nothing of what is in a blob.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from graflow_fast._places.remote.carrier import Address, Done
from graflow_fast._places.remote.streams import StreamLink

_CHILD = """
import socket, sys
from graflow_fast._places.remote.streams import serve
serve(socket.socket(fileno=int(sys.argv[1])))
"""


class Children:
    """Stations in child processes.

    Args:
        stations: how many.
        slots: workers of each.
        faults: the part of exchanges that something happens to.
        place: as `Carrier.place`.
        answer: what one of them answers to the question what is there, if not what it would.
    """

    name = "children"
    keeps_warm = True

    def __init__(
        self,
        stations: int = 2,
        slots: int = 1,
        faults: float = 0.0,
        place: str = "auto",
        seed: int = 1,
        answer: Any = None,
    ) -> None:
        self.place = place
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._names = [f"child-{index}" for index in range(stations)]
        self._slots = slots
        self._faults = faults
        self._random = random.Random(seed)
        self._answer = answer or (lambda name, found: found)
        self._made = 0
        self.happened: dict[str, int] = {}

    def addresses(self) -> list[Address]:
        """The children that are to be there."""
        return [Address(name, self._slots) for name in self._names]

    def set_stations(self, count: int) -> None:
        """Have other children from now on, as an engine that grows or shrinks."""
        self._made += 1
        self._names = [f"child-{self._made}-{index}" for index in range(count)]

    def add_station(self) -> None:
        """Have another child."""
        self._names.append(f"child-{len(self._names)}")

    def ask(self, addresses: Sequence[Address], function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Answer in this process."""
        return [self._answer(address.name, function(*arguments)) for address in addresses]

    def open(self, address: Address, given: bytes) -> FaultyLink:
        """Start a child."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen([sys.executable, "-c", _CHILD, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        self.processes[address.name] = process
        link = FaultyLink(StreamLink(given), self)
        link.link.connect(ours)
        return link

    def close(self) -> None:
        """End the children."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def fault(self) -> str:
        """What happens to the next exchange."""
        if self._random.random() >= self._faults:
            return ""
        found = self._random.choice(["lost", "answer lost", "repeated", "delayed"])
        self.happened[found] = self.happened.get(found, 0) + 1
        return found


class FaultyLink:
    """A way to a child on which something may happen to an exchange."""

    def __init__(self, link: StreamLink, owner: Children) -> None:
        self.link = link
        self._owner = owner

    def exchange(self, blob: bytes, done: Done) -> None:
        """Send a blob, or not."""
        fault = self._owner.fault()
        if fault == "lost":
            done(ConnectionError("the call was lost"))
        elif fault == "answer lost":
            self.link.exchange(blob, lambda answer: done(_lost(answer)))
        elif fault == "repeated":
            self.link.exchange(blob, lambda answer: None)
            self.link.exchange(blob, done)
        elif fault == "delayed":
            threading.Thread(target=self._later, args=(blob, done), daemon=True).start()
        else:
            self.link.exchange(blob, done)

    def _later(self, blob: bytes, done: Done) -> None:
        time.sleep(0.005)
        try:
            self.link.exchange(blob, done)
        except Exception as error:
            done(error)

    def close(self) -> None:
        """End the child."""
        self.link.close()


def _lost(answer: bytes | BaseException) -> BaseException:
    return answer if isinstance(answer, BaseException) else ConnectionError("the answer was lost")
