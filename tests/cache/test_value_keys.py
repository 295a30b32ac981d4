"""Keys of values: look-alikes differ, the same value has one key in every process."""

from __future__ import annotations

import datetime
import itertools
import os
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict, deque
from decimal import Decimal
from pathlib import PurePosixPath

import pytest

from graflow_fast._cache.value_keys import NoKeyError, key_of

numpy = pytest.importorskip("numpy")


def name_of(thing):
    return f"{thing.__module__}.{thing.__qualname__}".encode()


def key(value):
    return key_of(value, name_of)


def nested(depth, leaf):
    for _ in range(depth):
        leaf = [leaf]
    return leaf


DAY = datetime.datetime(2026, 1, 1)

LOOK_ALIKES = [
    [1, True, 1.0, "1", b"1", (1,), [1], {1}, frozenset({1}), 1 + 0j, Decimal(1), numpy.int64(1), numpy.float32(1)],
    [0.0, -0.0, 0, False, None, "", b"", (), [], {}, float("nan"), "nan", float("inf")],
    [[1, 2], [[1], 2], [[1, 2]], [12], ["1", "2"], ["12"], (1, 2)],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}, [("a", 1), ("b", 2)], OrderedDict(a=1, b=2), defaultdict(int, a=1, b=2)],
    [nested(9, 1), nested(9, 2), nested(8, 1), nested(9, True)],
    [DAY, DAY.date(), str(DAY), DAY.replace(tzinfo=datetime.timezone.utc), DAY.replace(fold=1)],
    ["a/b", PurePosixPath("a/b"), PurePosixPath("a"), ("a", "b")],
    [Decimal("1.0"), Decimal("1.00"), Decimal(1), 1.0],
    [deque([1]), deque([1], maxlen=1), [1]],
    [numpy.zeros(4), numpy.zeros((2, 2)), numpy.zeros(4, "f4"), numpy.zeros(4, "i8"), [0.0] * 4, numpy.zeros(4, ">f8")],
    [-1, 255, 256, -256, 2**64, -(2**64), 2**64 + 1],
]


@pytest.mark.parametrize("values", LOOK_ALIKES)
def test_look_alikes_have_keys_of_their_own(values):
    for one, other in itertools.combinations(values, 2):
        assert key(one) != key(other), (one, other)


def test_the_layout_of_an_array_does_not_matter():
    array = numpy.arange(24).reshape(4, 6)
    assert key(array) == key(numpy.asfortranarray(array)) == key(array[:, :].copy())
    assert key(array[::2, 1::2]) == key(array[::2, 1::2].copy()) != key(array[1::2, 1::2])


def test_each_byte_of_a_large_content_counts():
    large = numpy.zeros(20 << 20, "u1")  # so many leaves that there are threads
    before = key(large)
    assert key(large.copy()) == before
    for place in (0, (1 << 20) - 1, 1 << 20, len(large) - 1):
        large[place] = 1
        assert key(large) != before
        large[place] = 0
    assert key(large[:-1]) != before
    assert key(large) == before != key(large.tobytes())
    assert key(bytearray(2 << 20)) != key(bytes(2 << 20))


def test_a_value_that_holds_itself_has_a_key():
    one, other = [1], [2]
    one.append(one)
    other.append(other)
    assert key(one) != key(other)


@pytest.mark.parametrize("value", [threading.Lock(), sys.stdout, (each for each in "a")])
def test_what_has_no_content_has_no_key_and_is_named(value):
    with pytest.raises(NoKeyError) as raised:
        key({"a": [1, value]})
    assert raised.value.path == "['a'][1]"
    assert type(value).__name__ in str(raised.value)


PROGRAM = """
import sys
from graflow_fast._cache.value_keys import key_of
a = "".join(["ab", "c"])
value = [{"x", "y", "abc", 1, (2, 3)}, {a: sys.intern("abc")}, frozenset("hello"), 1.5, {1: {2, 3}}]
print(key_of(value, lambda thing: thing.__name__.encode()).hex())
"""


def test_the_same_value_has_one_key_in_every_process(tmp_path):
    package = package_place()
    found = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": package}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def package_place():
    import graflow_fast

    return os.path.dirname(os.path.dirname(graflow_fast.__file__))
