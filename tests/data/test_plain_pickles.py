"""Plain values and the program's own objects cross by a pickler of ours: what arrives is what `pickle` would give."""

from __future__ import annotations

import copyreg
import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_fast import parallel, task, workflow
from graflow_fast._core import pack_call, pack_plain
from graflow_fast._wire import crossing

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=300)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.tuples() | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=40,
)


@dataclass
class Sample:
    name: str
    parts: list


@pytest.fixture
def numbered(monkeypatch):
    """Classes of this file cross by number, as those of a program's own file do."""
    numbers = {}

    def number_of(kind):
        if kind.__module__ != __name__:
            return None
        number = numbers.setdefault(kind, 1000 + len(numbers))
        monkeypatch.setitem(crossing.known, number, lambda: kind)
        return number

    monkeypatch.setattr(crossing, "number_of_class", number_of)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_values_arrive_as_they_are(value):
    packed = pack_plain(value)
    if packed is not None:
        found = pickle.loads(packed)
        assert found == value
        assert repr(found) == repr(value)


@pytest.mark.parametrize(
    "value", [[], {}, (), [[], (1,)], {"a": [(), {}]}, b"x" * 4095, -(2**63), 2**63 - 1, [1.5] * 300]
)
def test_what_is_plain(value):
    assert pickle.loads(pack_plain(value)) == value


@pytest.mark.parametrize(
    "value", [b"x" * 4096, 2**63, "x" * 5000, 1j, {1}, object(), [object()], "\ud800", Sample, len]
)
def test_what_is_left_to_python(value):
    assert pack_plain(value) is None


def test_what_is_one_object_stays_one(numbered):
    shared = ["a"]
    sample = Sample("x", shared)
    pair = (sample, shared)
    found = pickle.loads(pack_plain([sample, sample, shared, {"k": shared}, pair, pair]))
    first, second, third, by_key, one, other = found
    assert first is second
    assert first.parts is third is by_key["k"] is one[1]
    assert one is other
    assert found == [sample, sample, shared, {"k": shared}, pair, pair]


def test_what_holds_itself(numbered):
    ring = []
    ring.append(ring)
    (found,) = again = pickle.loads(pack_plain(ring))
    assert found is again
    sample = Sample("x", [])
    sample.parts.append(sample)
    found = pickle.loads(pack_plain(sample))
    assert found.parts[0] is found
    tuple_in_itself = ([],)
    tuple_in_itself[0].append(tuple_in_itself)
    assert pack_plain(tuple_in_itself) is None


def test_many_objects_of_a_class(numbered):
    samples = [Sample(str(number), [number]) for number in range(1000)]
    assert pickle.loads(pack_plain(samples)) == samples


class Bare:
    pass


class Reduced:
    def __reduce__(self):
        return Bare, ()


class ReducedBy:
    def __reduce_ex__(self, protocol):
        return Bare, ()


class Kept:
    def __getstate__(self):
        return {"kept": 1}


class Made:
    def __new__(cls, number=0):
        return super().__new__(cls)

    def __getnewargs__(self):
        return (7,)


class Slotted:
    __slots__ = ("__dict__", "__weakref__", "x")


class Listed(list):
    pass


class Hidden:
    def __getattribute__(self, name):
        return object.__getattribute__(self, name)


class Inheriting(Kept):
    pass


class Registered:
    pass


@pytest.mark.parametrize("kind", [Reduced, ReducedBy, Kept, Made, Slotted, Listed, Hidden, Inheriting])
def test_classes_that_say_how_they_are_pickled_are_left_to_python(kind, numbered):
    assert pack_plain(Bare()) is not None
    assert pack_plain(kind()) is None


def test_registered_reducers_count(numbered, monkeypatch):
    assert pack_plain(Registered()) is not None
    monkeypatch.setitem(copyreg.dispatch_table, Registered, lambda value: (Bare, ()))
    assert pack_plain(Registered()) is None


def test_state_is_set_as_the_class_says(numbered):
    class Restored:
        def __setstate__(self, state):
            self.state = state

    for attributes in ({}, {"a": 1}):
        value = Restored()
        value.__dict__.update(attributes)
        assert pickle.loads(pack_plain(value)).state == attributes


def test_attributes_that_pickle_asks_for(numbered):
    value = Bare()
    value.__reduce_ex__ = lambda protocol: (Bare, ())
    assert pack_plain(value) is None


def test_a_call_loads_to_what_it_returns():
    assert pickle.loads(pack_call("builtins", "dict", ([("a", 1)],))) == {"a": 1}
    assert pack_call("builtins", "dict", (object(),)) is None


PLAIN = [[], {}, (), [1, [2, (3,)]], {"a": {"b": (None, True)}}, b"ab", [b"", "x" * 300], [[], (1,), []], ([], (1,))]


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_arguments_and_results_of_bodies(value):
    def body(given):
        return given, type(given).__name__

    with workflow("plain") as flow:
        parallel(task("one")(body)(task_id="a", given=value), task("two")(body)(task_id="b", given=[value, value]))
    _, context = flow.execute(executor="process", ret_context=True)
    assert context.get_result("a") == (value, type(value).__name__)
    assert context.get_result("b") == ([value, value], "list")


def test_an_argument_given_twice_is_one_object_in_the_body():
    def body(left, right):
        left.append(1)
        return left is right, right

    shared = [0]
    with workflow("shared") as flow:
        task("one")(body)(task_id="a", left=shared, right=shared)
        _, context = flow.execute("a", executor="process", ret_context=True)
    assert context.get_result("a") == (True, [0, 1])
    assert shared == [0]
