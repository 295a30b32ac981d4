"""A TypedDict with total=False requires no key."""

from typing import TypedDict

from graflow.channels.memory_channel import MemoryChannel
from graflow.channels.typed import TypedChannel


class Options(TypedDict, total=False):
    x: int
    names: list


typed = TypedChannel(MemoryChannel("c"), Options)
typed.send("a", {})
typed.send("b", {"names": ["n"]})
print(typed.receive("a"), typed.receive("b"), typed.keys())
try:
    typed.send("c", {"names": "n"})
except TypeError as error:
    print(error)
typed.clear()
print(typed.keys())
