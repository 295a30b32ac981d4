"""What is sent of a definition and of its pattern, from the keys and parts that they name; under which key.

Owns content and key, in the words of `_wire.functions`. When it is sent, and to whom, is `definitions`' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graflow_fast._places.process.entries import Entry, Pattern, current_keys, keys_of, living, living_among, numbers_of
from graflow_fast._places.process.parts import Part, numbers
from graflow_fast._places.process.tables import outdate
from graflow_fast._wire import crossing
from graflow_fast._wire.functions import DEFINITION, PATTERN, WHOLE


def compose_pattern(pattern: Pattern) -> None:
    """Set what is sent of a pattern."""
    parts, entries = numbers_of(pattern.parts), pattern.entries
    pattern.keys = (pattern.key, *parts, *keys_of(entries)) if entries else (pattern.key, *parts)
    content = PATTERN, pattern.what(), parts, current_keys(entries), *pattern.fields
    pattern.blob = crossing.marshalled_plain(content)


def compose(entry: Entry, parts: Sequence[Part], others: Sequence[Entry]) -> None:
    """Set what is sent of a definition that names these, directly or not."""
    pattern = entry.pattern
    content: tuple[Any, ...]
    if entry.pickled is None:
        assert pattern is not None
        assert entry.own is not None
        content = (DEFINITION, pattern.key, *entry.own)
    else:
        rest = numbers_of(parts), current_keys(others), *entry.pickled
        content = (WHOLE, *rest) if pattern is None else (DEFINITION, pattern.key, None, None, None, *rest)
    entry.blob = crossing.marshalled_plain(content)
    entry.keys = (entry.key, *numbers_of(parts), *keys_of(others), *(() if pattern is None else pattern.keys))
    named = living_among(others)
    living(entry).named = named if pattern is None else [*named, *pattern.named]


def renew(entry: Entry, blob: bytes, parts_before: Any = ()) -> None:
    """Give a definition another key: what it captured has changed, or it has none."""
    if entry.key:
        outdate(entry.key, parts_before)
    key = entry.key = next(numbers)
    entry.blob = blob
    if entry.former is None:
        entry.former = [key]
    else:
        entry.former.append(key)
    crossing.known[key] = entry
