"""(a >> b) | c: the member is the chain's first task; the rest runs in its branch, before the group's successor."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def s():
    return 0


@task
def a():
    return 1


@task
def b(a):
    return a + 1


@task
def c():
    return 10


@task
def e(a, b, c):
    return a, b, c


with workflow("w") as wf:
    group = (a >> b) | c
    print(group, wf.graph.get_edges())
    s >> group >> e
    result, ctx = wf.execute(start_node="s", ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps)
