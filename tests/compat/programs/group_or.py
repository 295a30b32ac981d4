"""a | b makes one group node; its members are not nodes of the graph unless they were made in the workflow."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def start():
    return "s"


@task
def a():
    return "a"


@task
def b():
    return "b"


@task
def end(a, b):
    return a + b


with workflow("w") as wf:
    chain = start >> (a | b) >> end
    print(chain)
    print(list(wf.graph.nodes), wf.graph.get_edges())
    print(wf.graph.get_parallel_group_members("ParallelGroup_1"), wf.graph.get_parallel_group_members("start"))
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps)
