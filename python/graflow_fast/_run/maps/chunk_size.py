"""How many items travel in a chunk: as many as take some milliseconds, learnt from the chunks that came back."""

from __future__ import annotations

#: Seconds that a chunk should take, and at least when the items come to an end; and the most items in one.
CHUNK_SECONDS = 0.02
LEAST_SECONDS = 0.002
MAX_CHUNK = 1 << 16
#: The most bytes of items in a chunk, or of results out of it.
CHUNK_BYTES = 4 << 20
#: How many times more items a chunk may have than the largest that was measured.
_GROWTH = 8


class ChunkSize:
    """The size of one map's chunks.

    Args:
        fixed: the size if it is not to be learnt.
        total: how many items the map has, None where that is not known.
        workers: how many run them at once.
    """

    def __init__(self, fixed: int | None, total: int | None, workers: int) -> None:
        self._fixed = fixed
        self._total = total
        self._workers = workers
        self._per_item = 0.0
        self._bytes_per_item = 0.0
        self._largest = 0

    def wanted(self, index: int) -> int:
        """Return how many items the next chunk should have, if it begins with the item of that index."""
        if self._fixed is not None:
            return self._fixed
        if not self._largest:
            return 1
        wanted = int(CHUNK_SECONDS / max(self._per_item, 1e-9))
        if self._bytes_per_item > 0:
            wanted = min(wanted, int(CHUNK_BYTES / self._bytes_per_item))
        if self._total is not None:  # leave enough for everybody at the end
            least = int(LEAST_SECONDS / max(self._per_item, 1e-9))
            wanted = min(wanted, max(least, (self._total - index) // (2 * self._workers)) + 1)
        return max(1, min(wanted, self._largest * _GROWTH, MAX_CHUNK))

    def measured(self, size: int, seconds: float, in_and_out: int) -> None:
        """Learn from a chunk that was run: how many items, how long they took, how many bytes went in and out."""
        per_item = seconds / size
        weight = 1.0 if size > self._largest else 0.3
        self._per_item += (per_item - self._per_item) * weight
        self._bytes_per_item += (in_and_out / size - self._bytes_per_item) * weight
        self._largest = max(self._largest, size)

    def begin_anew(self) -> None:
        """Begin with single items again, for a chunk was lost."""
        self._largest = 1
        self._per_item = CHUNK_SECONDS
