"""Entries for items of maps: what became of a chunk of them, and what a failed run forgets of it to try again.

Owns their format. Knows neither maps under way nor what items mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_fast._run.journal.entries import Entry, Found
    from graflow_fast._run.journal.journal import Key

#: Kinds of entries: items have ended; what they said is shown, of all items before one.
ITEMS, SHOWN = "items", "shown"


class ItemsEnd(NamedTuple):
    """How the items of a chunk ended. Positions count from its first item.

    Attributes:
        kind: `ITEMS`; key: of the map's attempt.
        time: when it was, in seconds since the epoch.
        first: the index of its first item; size: how many items it has.
        number: which attempt it is, of a single item that was tried again.
        digests: what the items were, as `_run.maps.digests` has it.
        results: one for each item, pickled.
        failures: (position, exception, seconds until the next attempt or None, whether another would be in vain).
        logs: (position, writes); wishes: (position, what was asked for); pieces: (position, output), not shown yet.
        times: start and end of each item, None if nobody wanted to know.
        seconds: how long all took.
        undone: positions of items that have to run all the same.
    """

    kind: str
    key: Key
    time: float
    first: int
    size: int
    number: int
    digests: bytes
    results: bytes
    failures: list[tuple[int, bytes, float | None, bool]]
    logs: list[tuple[int, list[tuple[Any, ...]]]]
    wishes: list[tuple[int, list[Any]]]
    pieces: list[tuple[int, Any]]
    times: list[tuple[float, float]] | None
    seconds: float
    undone: frozenset[int]


def by_map(entries: Iterable[Found | None]) -> dict[Key, list[int]]:
    """Return where the entries of each map are."""
    found: dict[Key, list[int]] = {}
    for place, entry in enumerate(entries):
        if entry is not None and not isinstance(entry, bytes) and entry[0] in (ITEMS, SHOWN):
            found.setdefault(entry[1], []).append(place)
    return found


def without_failed(entries: list[Entry]) -> list[Entry]:
    """Return a map's entries without the attempts of items that failed for good, so that these are tried anew."""
    #: By index: in which entries it failed since it last ended well, and whether for good.
    failed: dict[int, tuple[list[int], bool]] = {}
    for place, entry in enumerate(entries):
        if entry[0] != ITEMS:
            continue
        end = ItemsEnd(*entry)
        again = {end.first + position: delay for position, _, delay, _ in end.failures if position not in end.undone}
        for index in [index for index in failed if end.first <= index < end.first + end.size and index not in again]:
            del failed[index]
        for index, delay in again.items():
            failed[index] = [*failed.get(index, ([], False))[0], place], delay is None
    found = list(entries)
    for index, (places, is_final) in failed.items():
        for place in places if is_final else ():
            end = ItemsEnd(*found[place])
            found[place] = tuple(end._replace(undone=end.undone | {index - end.first}))
    return found
