"""A MemoryChannel by itself."""

import pickle

from graflow.channels.memory_channel import MemoryChannel

channel = MemoryChannel("mine")
channel.set("x", 1)
channel.append("l", 2)
print(
    channel.name,
    channel.keys(),
    channel.get("x"),
    channel.atomic_add("x", 2),
    channel.prepend("l", 1),
    channel.get("l"),
)
with channel.lock("x"):
    print("locked")
copy = pickle.loads(pickle.dumps(channel))
print(copy.name, copy.keys(), copy.get("l"), copy.atomic_add("x"))
