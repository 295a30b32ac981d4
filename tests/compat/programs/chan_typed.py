"""Typed channels check what goes in and what comes out."""

from typing import TypedDict

from graflow.core.decorators import task
from graflow.core.workflow import workflow


class Point(TypedDict):
    x: int
    y: int


with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        typed = ctx.get_typed_channel(Point)
        typed.send("p", {"x": 1, "y": 2})
        print(typed.receive("p"), typed.get("p"), typed.exists("p"), typed.message_type.__name__, type(typed).__name__)
        for wrong in ({"x": 1}, {"x": 1, "y": "2"}, {"x": 1, "y": 2, "z": 3}, 5):
            for method in (typed.send, typed.set):
                try:
                    method("p", wrong)
                except TypeError as error:
                    print(error)
        ctx.get_channel().set("bad", {"x": 1})
        print(typed.receive("bad"), typed.get("bad"), typed.receive("none"), typed.get("none", {"x": 0, "y": 0}))
        print(typed.keys(), typed.delete("bad"), typed.append("l", 1), typed.prepend("l", 0), typed.atomic_add("n", 2))
        with typed.lock("n"):
            print(typed.name == ctx.get_channel().name)
        try:
            ctx.get_typed_channel(dict)
        except ValueError as error:
            print(error)

    @task(inject_context=True)
    def b(ctx):
        return ctx.get_typed_channel(Point).receive("p")

    a >> b
    print(wf.execute())
