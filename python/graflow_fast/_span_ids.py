"""Ids of the spans of attempts: bodies know them while they run, and who makes spans of a record finds the same.

Owns how an id comes about. Knows neither runs nor records.
"""

from __future__ import annotations

__all__ = ["attempt_id"]


def attempt_id(run: str, task: str, start: int, attempt: int) -> int:
    """Return the id of an attempt's span.

    Args:
        run: what makes ids of a run other ones than those of the next.
        task: its name.
        start: 1 for the first time that the task was started, counting rounds and iterations; 0 for a map, whose items
            don't know in which round it is.
        attempt: 1 for the first try.
    """
    from hashlib import blake2b  # which takes a while to import

    text = f"{run}/{start}/{attempt}/{task}"
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") or 1
