"""Classes of the program say the same of themselves in a worker: what a body prints or returns may show it."""

from __future__ import annotations

import collections
import dataclasses
import enum
import typing

import pytest

from graflow_fast import task, workflow


def classes():
    """One of each kind that a program defines inside of something else."""

    @dataclasses.dataclass
    class Row:
        number: int

    class Outer:
        class Inner:
            pass

    class Error(Exception):
        pass

    class Meta(type):
        pass

    class WithMeta(metaclass=Meta):
        __slots__ = ("x",)

    class Color(enum.Enum):
        RED = 1

    class Pair(typing.NamedTuple):
        a: int

    made = collections.namedtuple("made", "b")
    return [Row, Outer, Outer.Inner, Error, Meta, WithMeta, Color, Pair, made]


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_class_has_its_whole_name_everywhere(executor):
    found = classes()

    @task
    def names():
        return [(kind.__module__, kind.__qualname__, repr(kind)) for kind in found], repr(found[0](3))

    with workflow("names") as wf:
        names
    expected, shown = wf.execute(executor="inline")
    assert wf.execute(executor=executor, max_workers=1) == (expected, shown)
    assert shown == "classes.<locals>.Row(number=3)"
