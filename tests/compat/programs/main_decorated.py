"""What a script makes with the standard library's decorators is there in every task: caches, dispatch, types."""

import functools
import struct
from typing import NewType, TypedDict

from graflow.core.decorators import task
from graflow.core.workflow import workflow

Seconds = NewType("Seconds", int)
PAIR = struct.Struct("<ii")


@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@functools.singledispatch
def shape(value):
    return "something"


@shape.register
def _(value: list):
    return f"list of {', '.join(shape(item) for item in value)}"


class Lazy:
    @functools.cached_property
    def number(self):
        return fibonacci(20)

    @functools.lru_cache  # noqa: B019
    def twice(self):
        return 2 * self.number


class Point(TypedDict):
    x: int


class NamedPoint(Point, total=False):
    name: str


def work():
    return [fibonacci(30), shape([1, []]), Lazy().number, Lazy().twice(), Seconds(3), PAIR.unpack(PAIR.pack(1, 2))]


with workflow("decorated") as wf:
    one = task("one")(work)
    two = task("two")(work)

    @task("point", inject_context=True)
    def point(ctx):
        channel = ctx.get_typed_channel(NamedPoint)
        channel.set("p", {"x": 1})
        print(sorted(NamedPoint.__required_keys__), sorted(NamedPoint.__optional_keys__), channel.get("p"))

    @task("last", inject_context=True)
    def last(ctx):
        print(ctx.get_result("one"))
        print(ctx.get_result("two"))

    one >> last >> point
    wf.execute("one")

    both = task("three")(work) | task("four")(work)
    _, context = wf.execute(both.task_id, ret_context=True)
    print(context.get_result("three") == context.get_result("four") == work())

cached = task("cached")(functools.lru_cache(lambda: "a cached function is a task's body, too"))
with workflow("cached") as wf:
    wf.add_node("cached", cached)
    print(wf.execute("cached"))
