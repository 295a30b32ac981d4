"""A program that asks its tasks about its own classes and values; `test_classes_by_key` compares executors."""

import abc
import enum
import functools
import typing
from dataclasses import dataclass, field

from graflow_fast import parallel, task, workflow

COUNT = 0
MISSING = object()
SHARED = [1]
TABLE = {"shared": SHARED, "deep": {"list": [2]}}
DEEP = TABLE["deep"]
LIMIT = 3


@dataclass
class Point:
    x: int
    tags: list = field(default_factory=list)

    def next(self):
        return Point(self.x + LIMIT)


class Sub(Point):
    def next(self):
        return Sub(super().next().x + 10)


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(typing.NamedTuple):
    a: int
    b: str


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Square(Shape):
    def area(self):
        return 4


class Meta(type):
    def __call__(cls, *arguments):
        made = super().__call__(*arguments)
        made.made_by = "meta"
        return made


class Made(metaclass=Meta):
    pass


class Parent:
    def child(self):
        return Child()


class Child:
    owner = Parent

    def parent(self):
        return self.owner()


Parent.kind = Child


class Counted:
    def __init__(self):
        global COUNT
        COUNT += 1


class Wrong(Exception):
    def __init__(self, code, why):
        super().__init__(code, why)
        self.code = code


def decorated(function):
    @functools.wraps(function)
    def inner(*arguments):
        return function(*arguments) + 1

    return inner


@decorated
def helper(x, y=2):
    return x * y


def values():
    return [Point(1, ["a"]), Sub(2), Slotted(3), Color.RED, Pair(1, "b"), Square(), Made(), Child(), Point]


@task(id="count")
def count():
    before = COUNT
    Counted()
    Counted()
    return COUNT - before


@task(id="identity")
def identity(x=MISSING, y=SHARED):
    return x is MISSING, y is SHARED, TABLE["shared"] is SHARED, TABLE["deep"] is DEEP


@task(id="made")
def made():
    return values()


@task(id="read", inject_context=True)
def read(context):
    return about(context.get_result("made"))


@task(id="argument")
def argument(given):
    return about(given)


@task(id="member", inject_context=True)
def member(context):
    context.get_channel().append("seen", Point(7))
    return Sub(8), about(context.get_result("made"))


@task(id="seen", inject_context=True)
def seen(context):
    return [(type(each) is Point, each.next().x) for each in context.get_channel().get("seen")]


@task(id="circle")
def circle():
    return Parent().child().parent().kind is Child, Child.owner is Parent


@task(id="wrapped")
def wrapped():
    return helper(3), helper.__name__


@task(id="raised")
def raised():
    try:
        raise Wrong(3, "no")
    except Wrong as error:
        return error


@task(id="inner_class")
def inner_class():
    class Inner(Point):
        limit = LIMIT

    return Inner(1).next(), Inner.limit


@task(id="item")
def item(given):
    return type(given) is Point, given.next()


def about(given):
    point, sub, slotted, color, pair, square, made, child, kind = given
    return [
        (type(point) is Point, point.next(), point.tags),
        (type(sub) is Sub, isinstance(sub, Point), sub.next(), isinstance(sub.next(), Sub)),
        (type(slotted) is Slotted, slotted.value),
        (color is Color.RED, Color(1) is color),
        (type(pair) is Pair, pair.a),
        (isinstance(square, Shape), square.area()),
        (type(made) is Made, made.made_by),
        (type(child) is Child, type(child.parent()) is Parent),
        kind is Point,
    ]


if __name__ == "__main__":
    with workflow("classes") as wf:
        chained = count >> identity >> made >> read >> argument(task_id="argument_", given=values())
        members = parallel(member(task_id="m1"), member(task_id="m2"))
        chained >> members >> seen >> circle >> wrapped >> raised >> inner_class >> item.map([Point(1), Point(2)])
        for executor in ("inline", "process"):
            _, context = wf.execute("count", executor=executor, max_workers=2, ret_context=True)
            names = {"argument": "argument_", "member": "m1", "item": "item_map"}
            for name in [each for each in globals() if getattr(globals()[each], "task_id", None) == each]:
                result = context.get_result(names.get(name, name))
                if name == "made":
                    print(
                        executor, "original", *[type(a) is type(b) for a, b in zip(result, values(), strict=True)][:5]
                    )
                    result = about(result)
                print(executor, name, repr(result))
