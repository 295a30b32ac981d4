"""`Values` behaves as the dictionary it stands for, whatever is done to it, and keeps results small."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_fast._core import Values
from graflow_fast.channels.memory_channel import MemoryChannel

#: Names of tasks and keys of users, such that many are the same, or the same but for the suffix.
KEYS = st.one_of(
    st.sampled_from(["a", "b", "", "ä", "a.b", "\ud800"]).flatmap(
        lambda name: st.sampled_from([name, f"{name}.__result__", f"{name}.__result__.__result__"])
    ),
    st.sampled_from([1, None, (1, "a"), ".__result", "__result__", ".__result__x"]),
    st.integers(0, 99).map(lambda number: f"n{number}.__result__"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "result", "delete", "pop", "setdefault", "get", "clear"]), KEYS, st.integers()),
    max_size=200,
)


def do(step: tuple[str, Any, int], values: Any, is_dict: bool) -> Any:
    kind, key, value = step
    if kind == "set":
        values[key] = value
    elif kind == "result":
        if isinstance(key, str):
            if is_dict:
                values[f"{key}.__result__"] = value
            else:
                values.set_result(key, value)
    elif kind == "delete":
        try:
            del values[key]
        except KeyError as error:
            return error.args
    elif kind == "pop":
        return values.pop(key, "nothing")
    elif kind == "setdefault":
        return values.setdefault(key, value)
    elif kind == "clear" and value % 20 == 0:
        values.clear()
    return values.get(key, "nothing"), key in values, len(values)


@given(STEPS)
def test_it_does_what_a_dictionary_does(steps: list[tuple[str, Any, int]]) -> None:
    values, expected = Values(), dict[Any, Any]()
    for step in steps:
        assert do(step, values, False) == do(step, expected, True)
        assert list(values) == values.keys() == list(expected)
        assert values.items() == list(expected.items())


def test_keys_that_come_and_go_leave_nothing_behind() -> None:
    values = Values()
    values["first"] = 0
    for number in range(10_000):
        values.set_result(f"n{number}", number)
        values[number] = number
        del values[f"n{number}.__result__"], values[number]
    values["last"] = 1
    assert values.items() == [("first", 0), ("last", 1)]
    assert values["first"] == 0
    assert values["last"] == 1


def test_a_copy_and_a_pickle_hold_the_same() -> None:
    values = Values()
    values.set_result("a", [1])
    values["own"] = values
    for other in (copy.copy(values), copy.deepcopy(values), pickle.loads(pickle.dumps(values))):
        assert other.keys() == ["a.__result__", "own"]
        assert other["a.__result__"] == [1]
    assert copy.deepcopy(values)["own"] is not values


def test_what_a_value_does_as_it_goes_may_use_the_channel() -> None:
    channel = MemoryChannel("c")

    class Last:
        def __del__(self) -> None:
            channel.set("gone", channel.get("gone", 0) + 1)

    channel.set("a", Last())
    channel.set("a", 1)
    channel.set_result("a", Last())
    channel.set_result("a", 2)
    channel.set("b", Last())
    channel.delete("b")
    assert channel.get("gone") == 3
    channel.set("b", Last())
    channel.clear()
    assert channel.keys() == ["gone"]


def test_a_loop_through_it_is_collected() -> None:
    class Held:
        pass

    held, values = Held(), Values()
    held.values = values  # type: ignore[attr-defined]
    values.set_result("a", held)
    reference = weakref.ref(held)
    del held, values
    gc.collect()
    assert reference() is None


def test_keys_of_results_take_no_memory_of_their_own() -> None:
    values, name = Values(), " ".join(["a task", "with a name"])  # not a constant: 3.14t doesn't count those
    before = sys.getrefcount(name)
    values.set_result(name, None)
    assert sys.getrefcount(name) == before + 1
    with pytest.raises(KeyError, match=r"a task\.__result__"):
        values["a task.__result__"]
