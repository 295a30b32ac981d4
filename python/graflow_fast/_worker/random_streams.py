"""Random numbers of captured generators: each task gets a stream of its own.

A generator crosses by value, so each worker would begin with the same numbers. Here it begins anew for each task, with
a seed made of the run's seed, the task's name and the state in which the generator was captured: the same numbers
whatever worker runs the task, and others for each task.
"""

from __future__ import annotations

from _blake2 import blake2b  # as `hashlib` would give it, which is slow to import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Streams:
    """The generators that one body captured."""

    def __init__(self, generators: list[Any]) -> None:
        self._generators = [(generator, _state_of(generator)) for generator in generators]

    def begin(self, seed: Any, task_id: str) -> None:
        """Let all generators begin the stream of a task."""
        for generator, state in self._generators:
            digest = blake2b(f"{seed}/{task_id}/".encode() + state, digest_size=8).digest()
            _begin(generator, int.from_bytes(digest, "little"))


def _state_of(generator: Any) -> bytes:
    kind = type(generator).__name__
    if kind == "Generator":
        state = generator.bit_generator.state
    else:
        state = generator.get_state() if kind == "RandomState" else generator.getstate()
    return blake2b(repr(state).encode()).digest()


def _begin(generator: Any, seed: int) -> None:
    kind = type(generator).__name__
    if kind == "Generator":
        bits = generator.bit_generator
        bits.state = type(bits)(seed).state
    elif kind == "RandomState":
        generator.seed(seed & 0xFFFFFFFF)
    else:
        generator.seed(seed)
