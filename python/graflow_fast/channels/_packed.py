"""A value that is still bytes.

Owns the box in which a value from another process waits until somebody reads it. Must not know how values are
pickled: whoever fills the box says how to open it.
"""

from __future__ import annotations

from collections.abc import Callable

from graflow_fast._messages import message_of
from graflow_fast.exceptions import GraflowRuntimeError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Packed", "unloadable"]


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

    def __reduce__(self) -> tuple[Any, ...]:
        # The bytes may name what only this process knows, so a file or another process gets the value itself.
        try:
            return _loaded, (self.value(),)
        except Exception:  # whoever reads it hears of that
            return Packed, (self.data, self.load)

    def value(self) -> object:
        """Load the value, anew at each call."""
        return self.load(self.data)


def _loaded(value: object) -> object:
    """Return a value that was in a box when it was pickled."""
    return value


def unloadable(what: str, error: Exception) -> GraflowRuntimeError:
    """Return the error for a value that came from a worker but can't be loaded in this process."""
    said = message_of(error).rstrip(". ") or type(error).__name__
    return GraflowRuntimeError(
        f"{what} came back from a worker process, but its class can't load it here: {said}. Return plain data, or keep "
        'the task in the calling process with @task(handler="direct").',
        cause=error,
    )
