"""Classes of the program are the same in a worker: what they are called, what they have, what their bases noted."""

from __future__ import annotations

import abc
import collections
import dataclasses
import enum
import typing
import warnings

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import LostMutationWarning


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


def registries():
    """Classes that tell their bases of themselves, each in a way that can't be done twice."""
    told: list[str] = []

    class Plugin:
        known: typing.ClassVar[list[str]] = []

        def __init_subclass__(cls, *, key, **others):
            super().__init_subclass__(**others)
            Plugin.known.append(key)
            told.append(cls.__name__)
            cls.key = key

    class First(Plugin, key="first"):
        __slots__ = ("x",)

    class Second(First, key="second"):
        pass

    Item = typing.TypeVar("Item")

    class Holder(Plugin, typing.Generic[Item], key="holder"):
        def __init__(self, item: Item):
            self.item = item

    class Numbers(Holder[int], key="numbers"):
        pass

    class Failed(Plugin, ValueError, key="failed"):
        pass

    class Abstract(Plugin, abc.ABC, key="abstract"):
        @abc.abstractmethod
        def do(self):
            """To be done."""

    return told, [Plugin, First, Second, Holder, Numbers, Failed, Abstract]


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_class_is_told_to_its_bases_once(executor):
    told, (plugin, *kinds) = registries()

    @task
    def look(kinds):
        first, second, holder, numbers, failed, abstract = kinds
        assert numbers(3).item == holder[int](3).item == 3
        assert str(failed("text")) == "text"
        try:
            abstract()
        except TypeError:
            first.noted = "here"
        bases = [[base.__name__ for base in kind.__mro__] for kind in kinds]
        return plugin.known, told, [kind.key for kind in kinds], second.noted, bases, numbers.__orig_bases__

    with workflow("told") as wf:
        look(task_id="look", kinds=kinds)
    keys = ["first", "second", "holder", "numbers", "failed", "abstract"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostMutationWarning)  # it notes something in one of them
        known, seen, own, noted, bases, generic = wf.execute("look", executor=executor, max_workers=1)
    assert (known, seen, own, noted) == (keys, [kind.__name__ for kind in kinds], keys, "here")
    assert bases == [[base.__name__ for base in kind.__mro__] for kind in kinds]
    assert generic == kinds[3].__orig_bases__


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_class_is_what_the_program_has_made_of_it_by_now(executor):
    class Row:
        limit = 3

        def size(self):
            return 1

    class Child(Row):
        pass

    @task
    def look(row):
        return getattr(row, "limit", None), getattr(row, "size", int)(), hasattr(row, "extra")

    def seen():
        with workflow("looks") as wf:
            look(task_id="look", row=Child())
        return wf.execute("look", executor=executor, max_workers=1)

    assert seen() == (3, 1, False)
    Row.extra = Row.limit = 4
    assert seen() == (4, 1, True)
    del Row.extra, Row.limit, Row.size
    assert seen() == (None, 0, False)
    Row.limit = 5
    assert seen() == (5, 0, False)
