"""The tickets of what places run: those of chunks of maps are above all that schedulers give."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Attempt, Chunk

#: The first ticket of chunks.
MAP_TICKETS = 1 << 61


def is_chunk(attempt: Attempt) -> TypeGuard[Chunk]:
    """Say whether an attempt is a chunk of a map."""
    return attempt.ticket >= MAP_TICKETS
