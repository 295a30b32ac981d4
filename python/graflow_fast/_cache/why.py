"""Why a cached task ran, or that it did not: its entry compared with the nearest one that was there before it.

Owns the words, and which entry is nearest. Reads files only when somebody asks. Must not know runs.
"""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

from graflow_fast._body.origins import HIT, MISS
from graflow_fast._cache.entries import Entries
from graflow_fast._cache.stored import Stored, from_bytes

__all__ = ["sentence"]

#: So many of the entries that were used last are looked at.
_MOST = 200

#: What kinds of parts are called, by the first word of their names.
_KINDS = {"function": "helper", "class": "class", "module": "module"}


def sentence(origin: tuple[Any, ...]) -> str:
    """Return what is to be said of a task's result, as the end of a sentence.

    Args:
        origin: as `origins.note` was told.
    """
    kind, *details = origin
    if kind == HIT:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(details[0]))
        return f"its result was taken from the cache, where it is since {when}"
    if kind == MISS:
        return f"its result is in the cache now; the body ran: {_difference(*details)}"
    return f"its body ran, and is not cached: {details[0]}"


def _difference(directory: str, group: str, name: str) -> str:
    if not os.path.isdir(directory):
        return "its entry is gone"
    entries = Entries(Path(directory))
    own = _read(entries, group, name)
    if own is None:
        return "its entry is gone"
    others = []
    for other in entries.names(group)[:_MOST]:
        if other != name and (found := _read(entries, group, other)) is not None and found.made <= own.made:
            others.append(found)
    if not others:
        return "there was no result of it yet"
    nearest = min(others, key=lambda each: (_arguments_changed(own, each), each.code != own.code, -each.made))
    said = [f"argument '{each}' is another value" for each in _arguments_changed(own, nearest)]
    if nearest.code != own.code:
        said += _code_changed(entries, group, nearest.code, own.code)
    if not said:
        before = dict(nearest.asked)
        said = [f"{_read_words(each)} is another than before" for each, key in own.asked if before.get(each) != key]
    return "; ".join(said[:4]) + ("; ..." if len(said) > 4 else "") or "its entry was gone, or could not be used"


def _read(entries: Entries, group: str, name: str) -> Stored | None:
    if name.startswith("code-"):
        return None
    try:
        data = entries.look(group, name)
        content = None if data is None else from_bytes(data)
    except Exception:  # a damaged file explains nothing
        return None
    return content if isinstance(content, Stored) else None


def _arguments_changed(one: Stored, other: Stored) -> list[str]:
    names = dict.fromkeys([*one.arguments, *other.arguments])
    return [each for each in names if one.arguments.get(each) != other.arguments.get(each)]


def _code_changed(entries: Entries, group: str, before: bytes, now: bytes) -> list[str]:
    """Return what is another code, part by part."""
    old, new = _parts(entries, group, before), _parts(entries, group, now)
    if old is None or new is None:
        return ["its code changed"]
    own = next(iter(new), "")
    said = []
    for name in dict.fromkeys([*new, *old]):
        if name in new and name in old:
            if new[name][0] != old[name][0]:
                said.append(f"{_part_words(name, new[name][1], own)} changed")
        elif name in new:
            said.append(f"{_part_words(name, new[name][1], own)} is new")
        else:
            said.append(f"{_part_words(name, old[name][1], own)} is no longer used")
    return said or ["its code changed"]


def _parts(entries: Entries, group: str, code: bytes) -> dict[str, tuple[bytes, str]] | None:
    try:
        data = entries.look(group, f"code-{code.hex()[:40]}")
        found: dict[str, tuple[bytes, str]] | None = None if data is None else pickle.loads(data)
    except Exception:
        return None
    return found


def _part_words(name: str, where: str, own: str) -> str:
    if name == own:
        return f"its own code ({where})"
    first, _, rest = name.partition(" ")
    if first in _KINDS and " " not in rest:
        place = f" ({where})" if where else ""
        return f"{_KINDS[first]} '{rest.rpartition('.')[2]}'{place}"
    if " of function " in name:
        value, _, user = name.partition(" of function ")
        return f"'{value}', which '{user.rpartition('.')[2]}' uses,"
    return name


def _read_words(question: Any) -> str:
    return f"'{question[1]}', which it reads," if len(question) > 1 else f"ctx.{question[0]}"
