"""The channel of a durable run: each reader gets a value of its own, and what bodies write to it is noted.

Owns the note of writes since it was last taken. Knows nothing of tasks or entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.scope import BranchChannel
from graflow_fast._messages import message_of
from graflow_fast._run.journal.entries import by_value
from graflow_fast._run.journal.transient import Transient
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._body.scope import Operation
    from graflow_fast._run.journal.journal import Key


class RecordedChannel(MemoryChannel):
    """Values by value, so that a run that was resumed and one that was not mean the same.

    Attributes:
        log: what was written since it was cleared.
    """

    #: Whether values may come as bytes.
    keeps_bytes = True
    #: Returns the key of the plain step that is running, None if none is; None where there are no plain steps.
    plain: Callable[[], Key | None] | None = None

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.log: list[Operation] = []
        self._begun: Key | None = None

    @property
    def begun(self) -> Key | None:
        """The key of the attempt of the workflow's own branch that began last."""
        return (None if self.plain is None else self.plain()) or self._begun

    @begun.setter
    def begun(self, key: Key) -> None:
        self._begun = key

    def __reduce__(self) -> tuple[Any, ...]:
        # What a checkpoint holds are the values; who goes on from it decides anew whether that run is durable.
        state = {name: value for name, value in self.__getstate__().items() if name not in ("log", "plain", "_begun")}
        return MemoryChannel, (self.name,), state

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, one of the caller's own; `default` if there is none."""
        if self.ttl_data:
            self._drop_if_expired(key)
        value = self.data.get(key, default)
        return value if value is default else opened(key, kept(key, value))

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a copy of `value` under `key`."""
        value = kept(key, value)
        super().set(key, value, ttl)
        self._note("set", key, value)

    def delete(self, key: str) -> bool:
        """Remove `key`; returns whether it was there."""
        self._note("delete", key, None)
        return super().delete(key)

    def clear(self) -> None:
        """Remove everything."""
        super().clear()
        self.log.append(("clear", "", None, None))

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the end of the list under `key`; returns the new length."""
        value, packed = self._own(key, value)
        length = super().append(key, value, ttl)
        self._note("append", key, packed)
        return length

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the front of the list under `key`; returns the new length."""
        value, packed = self._own(key, value)
        length = super().prepend(key, value, ttl)
        self._note("prepend", key, packed)
        return length

    def add(self, key: str, amount: int | float) -> int | float:
        """Add `amount` to the number under `key`; see `atomic_add`."""
        total = super().add(key, amount)
        self._note("set", key, total)
        return total

    def _own(self, key: str, value: Any) -> tuple[Any, Any]:
        """Return a copy of a value, and what is noted of it."""
        packed = kept(key, value)
        return opened(key, packed), packed

    def _note(self, operation: str, key: str, value: Any) -> None:
        expires = None if operation == "delete" else self.ttl_data.get(key)
        self.log.append((operation, key, value, expires))


class RecordedBranch(BranchChannel):
    """What a branch sees of such a channel, and writes itself: likewise by value.

    Attributes:
        begun: the key of the attempt that began in this branch last.
    """

    begun: Key | None = None

    def read(self, key: str, default: Any = None) -> Any:
        """Return what this branch sees under ``key``, one of the caller's own; ``default`` if there is none."""
        try:
            value = super().read(key, default)
        except (ImportError, AttributeError) as error:
            raise _unreadable(key, error) from error
        return value if value is default else opened(key, kept(key, value))

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a copy of `value` under `key`."""
        super().set(key, kept(key, value), ttl)

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the end of the list under `key`; returns the new length."""
        return super().append(key, opened(key, kept(key, value)), ttl)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the front of the list under `key`; returns the new length."""
        return super().prepend(key, opened(key, kept(key, value)), ttl)


def kept(key: str, value: Any) -> Any:
    """Return a value of the channel as it is kept."""
    if type(value) is Transient:
        return value
    return by_value(value, key.removesuffix(".__result__"), f"the channel's value '{key}'")


def opened(key: str, packed: Any) -> Any:
    """Return a value that is kept as one of the reader's own.

    Raises:
        GraflowRuntimeError: it can't be loaded any more.
    """
    if type(packed) is Transient:
        return packed.value()
    if type(packed) is not Packed:
        return packed
    try:
        return packed.value()
    except Exception as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> GraflowRuntimeError:
    task = key.removesuffix(".__result__")
    what = f"the channel's value '{key}'" if task == key else f"the result of task '{task}'"
    return GraflowRuntimeError(
        f"This durable run has {what}, but its class can't load it any more: {message_of(error)}. "
        "Bring back what it names as it was when the task ran, or begin a new run",
        cause=error,
    )
