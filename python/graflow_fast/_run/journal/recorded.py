"""What earlier processes wrote down of a run, in order, and which failures a resumed run tries anew.

Owns what belongs together among entries. Applies nothing: that is `replay`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._core import PlainJournal
from graflow_fast._run.journal.entries import DONE, TOUCHED, opened
from graflow_fast._run.journal.items import by_map, without_failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graflow_fast._run.journal.entries import Entry, Found
    from graflow_fast._run.journal.journal import BranchKey, Key


_STEPS = ("returned", "failed", DONE, TOUCHED)


class Recorded:
    """The entries of a run.

    Attributes:
        begin: its first entry; steps: what ended, in order; decisions: how groups joined.
        finished: whether the run ended, and not by a failure.
    """

    def __init__(self, entries: Iterable[Found]) -> None:
        self.begin: dict[str, object] = {}
        self.finished = self.failed = False
        self._entries: list[Found | None] = list(entries)
        for place, entry in enumerate(list(self._entries)):
            assert entry is not None
            if isinstance(entry, bytes):
                continue
            if entry[0] == "begin":
                self.begin = entry[1]
            elif entry[0] == "reopened":
                self._drop(entry[1], entry[2] if len(entry) > 2 else (), place)
            elif entry[0] == "end":
                self.finished, self.failed = entry[1] != "failed", entry[1] == "failed"

    @property
    def steps(self) -> list[Found]:
        """What ended, and what was done to live keys, in order."""
        return [
            entry for entry in self._entries if entry is not None and (isinstance(entry, bytes) or entry[0] in _STEPS)
        ]

    def _told(self) -> Iterator[Entry]:
        """Return all entries but those of plain steps, of which nothing has to be known before they end again."""
        return (entry for entry in self._entries if entry is not None and not isinstance(entry, bytes))

    def done(self) -> set[str]:
        """Return the names of what has ended well, and of maps of which items have ended."""
        plain = {PlainJournal.name_of(entry) for entry in self._entries if isinstance(entry, bytes)}
        maps = {key[1] for key in by_map(self._entries)}
        return plain | maps | {entry[1][1] for entry in self._told() if entry[0] == "returned"}

    @property
    def decisions(self) -> dict[Key, Entry]:
        """How groups joined."""
        if not hasattr(self, "_decisions"):
            self._decisions: dict[Key, Entry] = {entry[1]: entry for entry in self._told() if entry[0] == "joined"}
        return self._decisions

    def items(self, key: Key) -> list[Entry]:
        """What was written down of a map's items, in order."""
        if not hasattr(self, "_maps"):
            self._maps: dict[Key, list[int]] = by_map(self._entries)
        return self._at(self._maps.pop(key, ()))

    def _at(self, places: Iterable[int]) -> list[Entry]:
        """Return what was written down of a map at some places."""
        return [opened(entry) for place in places if (entry := self._entries[place]) is not None]

    def reopen(self) -> tuple[list[int], list[Key]]:
        """Forget the failures that ended the run, with the attempts before them.

        Returns:
            Which entries that are, and of which maps the items that failed for good are forgotten.
        """
        joins = {entry[1]: entry for entry in self._told() if entry[0] == "joined"}

        def is_open(branch: BranchKey) -> bool:
            """Say whether what failed in a branch ended the run: no group around it tolerated it, or tries again."""
            if not branch:
                return True
            name, count, _ = branch[-1]
            join = joins.get((branch[:-1], name, count))
            return (join is None or (join[3] is not None and join[4] is None)) and is_open(branch[:-1])

        dropped = []
        trying: set[tuple[BranchKey, str]] = set()
        for place in range(len(self._entries) - 1, -1, -1):
            found = self._entries[place]
            if found is None or (isinstance(found, bytes) and not trying):
                continue
            entry = opened(found)
            if entry[0] == "returned":
                trying.discard(entry[1][:2])
            elif entry[0] == "failed":
                branch, name, _ = entry[1]
                if entry[5] is None and is_open(branch):
                    trying.add((branch, name))
                if (branch, name) in trying:
                    dropped.append(place)
            elif entry[0] == "joined" and entry[3] is not None and entry[4] is None and is_open(entry[1][0]):
                dropped.append(place)
        for place in dropped:
            self._entries[place] = None
        ended = {entry[1] for entry in self._told() if entry[0] in ("returned", "failed")}
        maps = [key for key in by_map(self._entries) if key not in ended]
        self._drop((), maps, len(self._entries))
        return dropped, maps

    def _drop(self, places: Iterable[int], maps: Iterable[Key], until: int) -> None:
        """Forget entries, and in those before a place the items of some maps that failed for good."""
        for place in places:
            self._entries[place] = None
        found = by_map(self._entries[:until])
        for key in maps:
            for place, entry in zip(found[key], without_failed(self._at(found[key])), strict=True):
                self._entries[place] = entry
        self.failed = False
        self.__dict__.pop("_decisions", None)
