"""Hashes of large contents, in leaves, on several cores: the argument of a task may be an array of a gigabyte.

Owns the size of leaves. It is SHA-256, for which processors have instructions, so it takes a third of BLAKE2b's time.
The number of threads changes nothing of the outcome.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

__all__ = ["LARGE", "digest_of_large"]

#: Bytes from which on a content is large, and those of a leaf.
LARGE = _LEAF = 1 << 20

#: Leaves for which a thread is worth it, and the most threads.
_MANY, _MOST = 16, 4


def digest_of_large(content: Any) -> bytes:
    """Return a digest of a content, 32 bytes.

    Args:
        content: bytes, or what shows bytes.
    """
    whole = memoryview(content).cast("B")
    leaves = [whole[place : place + _LEAF] for place in range(0, len(whole), _LEAF)]
    threads = min(_MOST, len(os.sched_getaffinity(0)), len(leaves) // _MANY)
    if threads < 2:
        return sha256(_digests(leaves)).digest()
    from concurrent.futures import ThreadPoolExecutor

    share = -(-len(leaves) // threads)
    shares = [leaves[place : place + share] for place in range(0, len(leaves), share)]
    with ThreadPoolExecutor(threads) as pool:
        return sha256(b"".join(pool.map(_digests, shares))).digest()


def _digests(leaves: list[memoryview]) -> bytes:
    return b"".join([sha256(leaf).digest() for leaf in leaves])
