"""Values on their way into the channel and out of it: results, and those that stay bytes until somebody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.scope import BranchChannel
from graflow_fast._body.versions import SnapshotChannel
from graflow_fast._wire import crossing
from graflow_fast.channels._packed import Packed, unloadable
from graflow_fast.channels.base import Channel
from graflow_fast.channels.memory_channel import MemoryChannel

if TYPE_CHECKING:
    from graflow_fast._wire.shared.values import Copies


def load_packed(data: bytes) -> Any:
    """Return the value of bytes that a worker sent."""
    return crossing.loads(data)


def store_result(channel: Channel, task_id: str, result: Any) -> None:
    """Leave a task's result in the channel."""
    if type(channel) is MemoryChannel:
        channel.set_result(task_id, result)
    else:
        channel.set(f"{task_id}.__result__", result)


def packed_value(channel: Channel, key: str, copies: Copies | None = None) -> bytes | None:
    """Return the value under ``key`` as bytes, None when there is none; a value that is bytes already is not loaded."""
    if type(channel) is MemoryChannel and not channel.exists(key):  # as mostly
        return None
    raw = _raw(channel, key)
    if type(raw) is Packed:
        return raw.data
    if not channel.exists(key):
        return None
    return crossing.dumps(channel.get(key), copies)


def unpacked(value: Any) -> Any:
    """Return a value, loaded if it is still bytes.

    Raises:
        GraflowRuntimeError: it can't be loaded here.
    """
    if type(value) is not Packed:
        return value
    try:
        return value.value()
    except Exception as error:
        raise unloadable("the last task's result", error) from error


def _raw(channel: Channel, key: str) -> Any:
    while isinstance(channel, BranchChannel):
        if key in channel.live.keys:
            channel = channel.live.root
        elif channel.has_written(key):
            return channel._own.get(key)
        elif channel.hides_parent(key):
            return None
        else:
            channel = channel.parent
    if isinstance(channel, SnapshotChannel):
        return channel.raw(key)
    if isinstance(channel, MemoryChannel) and channel.exists(key):
        return channel.data.get(key)
    return None
