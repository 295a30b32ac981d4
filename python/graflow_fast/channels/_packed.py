"""A value that is still bytes.

Owns the box in which a value from another process waits until somebody reads it. Must not know how values are
pickled: whoever fills the box says how to open it.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Packed"]


class Packed:
    """A value as bytes, with the function that loads it.

    Attributes:
        data: The value's bytes.
        load: Makes the value from `data`. A function of a module, if the channel is to be pickled.
    """

    __slots__ = ("data", "load")

    def __init__(self, data: bytes, load: Callable[[bytes], object]) -> None:
        self.data = data
        self.load = load

    def value(self) -> object:
        """Load the value, anew at each call."""
        return self.load(self.data)
