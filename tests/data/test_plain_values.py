"""Small lists, tuples and dictionaries of plain values are in a worker and back what they were, sharing included."""

from __future__ import annotations

import enum
import pickle
from collections import OrderedDict, namedtuple
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow

Pair = namedtuple("Pair", "left right")


class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    __slots__ = ()


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


SHARED = [1, 2]
VALUES: dict[str, Any] = {
    "an empty list before a long tuple": [[], (1, 2, 3, 4), {}, (), [()], ({},)],
    "a row": {"id": 7, "name": "é", "sizes": [1, 2.5, None], "flags": {"on": True, "off": False}},
    "numbers": [0, -1, 255, 256, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63), 2**63, 10**40, -0.0, 1e308, float("inf")],
    "texts": ["", "x" * 255, "y" * 256, "z" * 5000, "\ud800", "\0"],
    "bytes": [b"", b"a" * 255, b"b" * 256, b"c" * 5000],
    "keys": {1: "a", None: "b", True and "t": "c", 2.5: "d", b"k": "e", (1, 2): "f"},
    "one list twice": [SHARED, SHARED],
    "one list, deep": {"a": [SHARED], "b": (SHARED,)},
    "many": list(range(1000)),
    "many small": [[n] for n in range(100)],
    "deep": nested(30),
    "others' kinds": [Pair(1, [2]), OrderedDict(a=1), Level.LOW, Name("n"), {1, 2}, frozenset((3,)), bytearray(b"x")],
}


def shape(value: Any) -> str:
    """A value with all its types, and which containers are one (what `pickle` writes of equal texts may differ)."""
    seen: dict[int, int] = {}

    def told(part: Any) -> str:
        if isinstance(part, (list, tuple, dict, set, frozenset)):
            if id(part) in seen and not isinstance(part, (tuple, frozenset)):
                return f"#{seen[id(part)]}"
            seen[id(part)] = len(seen)
            parts = part.items() if isinstance(part, dict) else part
            return f"{type(part).__name__}({', '.join(map(told, parts))})"
        return f"{type(part).__name__} {part!r}"

    return told(value)


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_arguments_and_results_are_what_they_were(executor: str) -> None:
    @task
    def give_back(value: Any) -> tuple[str, Any]:
        return shape(value), value

    with workflow("plain") as wf:
        parallel(*[give_back(task_id=f"t{n}", value=value) for n, value in enumerate(VALUES.values())])
    _, context = wf.execute(executor=executor, max_workers=2, ret_context=True)
    for n, (name, value) in enumerate(VALUES.items()):
        seen, result = context.get_result(f"t{n}")
        assert seen == shape(pickle.loads(pickle.dumps(value))), name
        assert shape(result) == shape(pickle.loads(pickle.dumps(value))), name


def test_a_list_that_holds_itself() -> None:
    @task
    def give_back(value: Any) -> tuple[bool, Any]:
        return value[1] is value, value

    with workflow("cycle") as wf:
        parallel(give_back(task_id="t", value=cycle()), give_back(task_id="u", value=[1, 2]))
    _, context = wf.execute(executor="process", ret_context=True)
    was_one, result = context.get_result("t")
    assert was_one
    assert result[1] is result


def test_what_bodies_write_and_enqueue() -> None:
    @task(inject_context=True)
    def writes(ctx: Any) -> None:
        for name, value in VALUES.items():
            ctx.get_channel().set(name, value)

    @task(inject_context=True)
    def last(ctx: Any, value: Any) -> str:
        return shape(value)

    @task(inject_context=True)
    def enqueues(ctx: Any) -> None:
        ctx.next_task(last(task_id="row", value=VALUES["a row"]))
        ctx.next_task(last(task_id="shared", value=VALUES["one list twice"]))

    with workflow("writes") as wf:
        writes >> enqueues
    _, context = wf.execute("writes", executor="process", ret_context=True)
    for name, value in VALUES.items():
        assert shape(context.get_channel().get(name)) == shape(value), name
    assert context.get_result("row") == shape(VALUES["a row"])
    assert context.get_result("shared") == shape(VALUES["one list twice"])
