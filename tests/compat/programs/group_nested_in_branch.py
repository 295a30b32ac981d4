"""A branch may contain a group of its own: (a >> (b | c) >> d) | e."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return 1


@task
def b(a):
    return a + 1


@task
def c(a):
    return a + 2


@task
def d(b, c):
    return b + c


@task
def e():
    return 100


@task
def end(d, e):
    return d + e


with workflow("w") as wf:
    inner = (b | c).set_group_name("inner")
    outer = ((a >> inner >> d) | e).set_group_name("outer")
    outer >> end
    result, ctx = wf.execute(start_node="outer", ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps)
