"""ChannelFactory and the registry of message types."""

from graflow.channels.base import Channel
from graflow.channels.factory import ChannelFactory
from graflow.channels.memory_channel import MemoryChannel
from graflow.channels.schemas import CycleNotificationMessage, TaskProgressMessage
from graflow.channels.typed import ChannelTypeRegistry, TypedChannel
from graflow.exceptions import ConfigError

channel = ChannelFactory.create_channel(backend="memory", name="n")
print(
    type(channel).__name__,
    channel.name,
    ChannelFactory.is_backend_available("memory"),
    ChannelFactory.is_backend_available("paper"),
)
try:
    ChannelFactory.create_channel(backend="paper", name="n")
except ConfigError as error:
    print("ConfigError", "paper" in str(error))


class Own(MemoryChannel):
    pass


ChannelFactory.register_backend("own", Own)
print(type(ChannelFactory.create_channel("own", "n")).__name__, "own" in ChannelFactory.get_available_backends())
try:
    ChannelFactory.register_backend("bad", int)
except TypeError as error:
    print("TypeError", "Channel" in str(error))
print(
    isinstance(channel, Channel),
    ChannelTypeRegistry.get("task_progress") is TaskProgressMessage,
    ChannelTypeRegistry.get("nothing"),
)
typed = ChannelTypeRegistry.create_channel(channel, "cycle_notification")
print(isinstance(typed, TypedChannel), typed.message_type is CycleNotificationMessage)
ChannelTypeRegistry.register("own", TaskProgressMessage)
print(ChannelTypeRegistry.get("own").__name__)
for call in (
    lambda: ChannelTypeRegistry.create_channel(channel, "nothing"),
    lambda: ChannelTypeRegistry.register("x", int),
):
    try:
        call()
    except (ConfigError, ValueError) as error:
        print(type(error).__name__, error)
