"""Channels: values, expiry, lists, numbers, locks, values that are still bytes, types."""

import pickle
import threading
import time
from typing import TypedDict

import pytest

from graflow_fast.channels import schemas
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.base import Channel
from graflow_fast.channels.factory import ChannelFactory
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.channels.typed import ChannelTypeRegistry, TypedChannel
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError


@pytest.fixture
def channel():
    return MemoryChannel("c")


@pytest.fixture
def clock(monkeypatch):
    """Time that moves only when told to."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "time", lambda: Clock.now)
    return Clock


class Loads:
    """Counts how often packed values are loaded."""

    def __init__(self):
        self.count = 0

    def __call__(self, data):
        self.count += 1
        return pickle.loads(data)

    def packed(self, value):
        return Packed(pickle.dumps(value), self)


def test_values(channel):
    """What is stored is there until it is deleted or cleared."""
    channel.set("a", 1)
    channel.set("b", None)
    assert (channel.get("a"), channel.get("b", 5), channel.get("x"), channel.get("x", 5)) == (1, None, None, 5)
    assert channel.exists("b")
    assert channel.keys() == ["a", "b"]
    assert channel.delete("a")
    assert not channel.delete("a")
    channel.clear()
    assert channel.keys() == []


def test_values_expire(channel, clock):
    """After its time to live a key is gone for every operation, and not a moment before."""
    for key in ("get", "exists", "keys", "append", "add"):
        channel.set(key, 7, ttl=10)
    clock.now += 10
    assert channel.keys() == ["get", "exists", "keys", "append", "add"]
    clock.now += 0.1
    assert channel.get("get") is None
    assert not channel.exists("exists")
    assert channel.append("append", 1) == 1
    assert channel.atomic_add("add") == 1
    assert channel.keys() == ["append", "add"]


def test_a_value_set_after_expiry_lives(channel, clock):
    """The limit of an expired value is not inherited by the next one; that of a live value is."""
    channel.set("k", 1, ttl=10)
    clock.now += 11
    channel.set("k", 2)
    assert channel.get("k") == 2
    channel.set("k", 3, ttl=10)
    channel.set("k", 4)
    clock.now += 11
    assert channel.get("k") is None


def test_lists(channel, clock):
    """Append and prepend build a list, return its length, refuse other values, and may set a limit."""
    assert [channel.append("l", 1), channel.append("l", 2), channel.prepend("l", 0, ttl=5)] == [1, 2, 3]
    assert channel.get("l") == [0, 1, 2]
    clock.now += 6
    assert channel.prepend("l", 9) == 1
    channel.set("s", "text")
    for operation in (channel.append, channel.prepend):
        with pytest.raises(TypeError, match="Key 's' exists but is not a list"):
            operation("s", 1)


def test_appending_does_not_copy(channel):
    """The list stays the same object, so that appending costs the same however long it is."""
    channel.append("l", 0)
    items = channel.get("l")
    for number in range(1, 1000):
        channel.append("l", number)
    assert channel.get("l") is items
    assert items == list(range(1000))


def test_numbers(channel):
    """Adding starts at 0, takes floats and negatives, and refuses what is not a number."""
    assert channel.atomic_add("n") == 1
    assert channel.atomic_add("n", -3) == -2
    assert channel.atomic_add("n", 0.5) == -1.5
    channel.set("s", "1")
    with pytest.raises(TypeError, match="Key 's' holds str, expected int or float"):
        channel.atomic_add("s")


def test_adding_from_threads_loses_nothing(channel, monkeypatch):
    """Every caller gets a number that nobody else got, even if threads switch all the time."""
    import sys

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    seen = []
    try:
        threads = [
            threading.Thread(target=lambda: [seen.append(channel.atomic_add("n")) for _ in range(2000)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(seen) == list(range(1, 16_001))


def test_locks(channel):
    """A lock is the thread's own (and reentrant); others time out, on the same key only."""
    outcomes = []

    def other():
        try:
            with channel.lock("k", timeout=0.05):
                outcomes.append("got it")
        except TimeoutError as error:
            outcomes.append(str(error))
        with channel.lock("other", timeout=0.05):
            outcomes.append("other")

    with channel.lock("k"), channel.lock("k"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert outcomes == ["Could not acquire lock for key 'k' within 0.05s", "other"]
    with pytest.raises(KeyError), channel.lock("k"):
        raise KeyError
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert outcomes[2] == "got it"


def test_pickling_a_channel(channel):
    """Values and limits travel; locks are made anew."""
    channel.set("k", 1, ttl=60)
    channel.set("p", Packed(pickle.dumps([1]), pickle.loads))
    with channel.lock("k"):
        again = pickle.loads(pickle.dumps(channel))
    assert (again.name, again.get("k"), again.get("p"), again.ttl_data) == ("c", 1, [1], channel.ttl_data)
    with again.lock("k", timeout=0.1):
        assert again.atomic_add("k") == 2


def test_packed_values_are_loaded_once_on_first_read(channel):
    """Nothing is loaded until somebody reads, then everybody gets the one loaded object."""
    loads = Loads()
    channel.set("k", loads.packed([1]))
    assert channel.exists("k")
    assert channel.keys() == ["k"]
    assert loads.count == 0
    assert channel.get("k") is channel.get("k")
    assert loads.count == 1
    assert channel.get("k") == [1]


def test_packed_values_are_values(channel, clock):
    """Lists, numbers, limits, overwriting and deleting work on packed values as on others."""
    loads = Loads()
    for key, value in {"l": [1], "p": [1], "n": 2, "t": 3, "s": "text", "o": 1, "d": 1}.items():
        channel.set(key, loads.packed(value), ttl=10 if key == "t" else None)
    assert channel.append("l", 2) == 2
    assert channel.prepend("p", 0) == 2
    assert (channel.get("l"), channel.get("p")) == ([1, 2], [0, 1])
    assert channel.atomic_add("n") == 3
    with pytest.raises(TypeError):
        channel.append("s", 1)
    channel.set("o", 5)
    assert channel.get("o") == 5
    assert channel.delete("d")
    clock.now += 11
    assert channel.get("t") is None
    assert loads.count == 4


def test_a_packed_value_that_cannot_be_loaded_stays(channel):
    """The error of loading reaches the reader, and the value is not lost."""
    channel.set("k", Packed(b"garbage", pickle.loads))
    for _ in range(2):
        with pytest.raises(GraflowRuntimeError, match="The channel's value 'k' came back from a worker") as caught:
            channel.get("k")
        assert isinstance(caught.value.__cause__, pickle.UnpicklingError)
    assert channel.exists("k")


def test_the_base_class_leaves_locking_to_others():
    """A minimal channel of one's own needs the abstract methods only; its default lock lets everybody in."""
    with pytest.raises(TypeError):
        Channel("c")
    with Channel.lock(MemoryChannel("c"), "k"), Channel.lock(MemoryChannel("c"), "k"):
        pass


def test_factory():
    """Backends by name, one's own included; redis is refused with advice."""
    made = ChannelFactory.create_channel("memory", "n", anything="ignored")
    assert isinstance(made, MemoryChannel)
    assert made.name == "n"
    assert ChannelFactory.get_available_backends() == ["memory"]
    assert not ChannelFactory.is_backend_available("redis")
    with pytest.raises(ConfigError, match=r"backend='memory'.*use graflow"):
        ChannelFactory.create_channel("redis", "n")
    with pytest.raises(ConfigError, match=r"Unsupported backend 'x'\. Available backends: \['memory'\]"):
        ChannelFactory.create_channel("x", "n")
    with pytest.raises(TypeError, match="must extend Channel"):
        ChannelFactory.register_backend("x", dict)


def test_factory_takes_new_backends(monkeypatch):
    """A registered class is used under its name."""
    monkeypatch.setattr(ChannelFactory, "_backends", dict(ChannelFactory._backends))

    class Mine(MemoryChannel):
        pass

    ChannelFactory.register_backend("redis", Mine)
    assert type(ChannelFactory.create_channel("redis", "n")) is Mine


class Point(TypedDict):
    x: int
    label: str


class Loose(TypedDict, total=False):
    x: int


GOOD = {"x": 1, "label": "a"}


def test_typed_channels_check_what_goes_in(channel):
    """Missing, unknown and wrongly typed fields are refused by send and set, each in its own words."""
    typed = TypedChannel(channel, Point)
    typed.send("k", GOOD, ttl=60)
    assert typed.receive("k") == typed.get("k") == channel.get("k") == GOOD
    assert "k" in channel.ttl_data
    for bad in ({"x": 1}, {**GOOD, "y": 2}, {"x": "1", "label": "a"}, [GOOD], None):
        with pytest.raises(TypeError, match="Message does not conform to Point"):
            typed.send("k", bad)
        with pytest.raises(TypeError, match="Value does not conform to Point"):
            typed.set("k", bad)
    TypedChannel(channel, Loose).send("k", {})


def test_typed_channels_hide_what_does_not_fit(channel):
    """What somebody else stored is returned only if it fits; so is a default."""
    typed = TypedChannel(channel, Point)
    channel.set("k", "text")
    assert typed.exists("k")
    assert typed.receive("k") is None
    assert typed.get("nothing", GOOD) == GOOD
    assert typed.get("nothing", 5) is None


def test_typed_channels_pass_the_rest_through(channel):
    """Names, keys, lists, numbers and locks are those of the wrapped channel."""
    typed = TypedChannel(channel, Point)
    assert (typed.name, typed.message_type) == ("c", Point)
    assert [typed.append("l", 1), typed.prepend("l", 0), typed.atomic_add("n", 2)] == [1, 2, 2]
    with typed.lock("l", timeout=1):
        assert typed.keys() == channel.keys() == ["l", "n"]
    assert typed.delete("l")
    typed.clear()
    assert channel.keys() == []
    with pytest.raises(ValueError, match="must be a TypedDict"):
        TypedChannel(channel, dict)


def test_message_types_have_names(channel):
    """The common message types are registered, new ones can be, unknown ones are an error."""
    names = ["task_result", "task_progress", "task_error", "workflow_state", "data_transfer", "cycle_notification"]
    assert all(ChannelTypeRegistry.get(name).__name__ in schemas.__all__ for name in names)
    typed = ChannelTypeRegistry.create_channel(channel, "task_progress")
    typed.send("p", {"task_id": "t", "progress": 0.5, "message": "", "timestamp": 1.0})
    assert ChannelTypeRegistry.get("nothing") is None
    with pytest.raises(ConfigError, match="'nothing' not registered"):
        ChannelTypeRegistry.create_channel(channel, "nothing")
    with pytest.raises(ValueError, match="must be a TypedDict"):
        ChannelTypeRegistry.register("x", int)
