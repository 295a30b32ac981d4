"""Instances of the program's own classes pass between tasks and through the channel."""

from dataclasses import dataclass

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@dataclass
class Point:
    x: int
    y: int = 0

    def norm(self):
        return (self.x**2 + self.y**2) ** 0.5


@task
def load():
    return Point(3, 4)


@task(inject_context=True)
def left(ctx, load):
    ctx.get_channel().set("left", Point(load.x))
    return isinstance(load, Point)


@task
def right(load):
    return load.norm()


@task(inject_context=True)
def end(ctx, left, right):
    return left, right, ctx.get_channel().get("left")


with workflow("w") as wf:
    load >> (left | right) >> end
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.get_result("left"), isinstance(ctx.get_result("load"), Point))
