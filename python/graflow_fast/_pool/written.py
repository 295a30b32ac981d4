"""What a worker wrote to descriptors 1 and 2, put where it belongs between what its body printed.

Owns places (pieces that say how far a descriptor had been written when the next one was printed) and what comes there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._wire.crossing import STDERR, STDOUT, WRITTEN_STDERR, WRITTEN_STDOUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_fast._pool.lost import Piece


#: Set in the second of a report's positions if some of what was written could not be kept (`rust/pool/src/output.rs`).
MISSED = 1 << 62
_MISSED_TEXT = (
    "graflow_fast: some of what was written to a worker's standard output or error around Python could not be kept: "
    "its file in memory may not become longer\n"
)


class Written:
    """What was written and not yet shown.

    Args:
        at: how far either descriptor had been read before.
        data: what came after that.
        has_missed: whether there was more than could be kept.
    """

    def __init__(
        self,
        at: tuple[int, int] = (0, 0),
        data: tuple[bytes, bytes] = (b"", b""),
        has_missed: bool = False,
    ) -> None:
        self._at = list(at)
        self._data = list(data)
        self._has_missed = has_missed

    def fill(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Return pieces with text in each place: as many as before, for some may have been counted."""
        return [
            piece if piece[0] not in (WRITTEN_STDOUT, WRITTEN_STDERR) else self._up_to(piece[0], piece[1])
            for piece in pieces
        ]

    def rest(self) -> list[Piece]:
        """Return what has no place: it was written after all that was printed."""
        pieces: list[Piece] = [
            (kind, self._text(kind, len(self._data[kind]))) for kind in (STDOUT, STDERR) if self._data[kind]
        ]
        return [*pieces, (STDERR, _MISSED_TEXT)] if self._has_missed else pieces

    def _up_to(self, place: int, position: int) -> Piece:
        kind = STDOUT if place == WRITTEN_STDOUT else STDERR
        return kind, self._text(kind, max(0, position - self._at[kind]))

    def _text(self, kind: int, length: int) -> str:
        taken, self._data[kind] = self._data[kind][:length], self._data[kind][length:]
        self._at[kind] += len(taken)
        return taken.decode(errors="replace")
