"""A group that has a successor does not merge: | makes a group of the two groups, and they run nested."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    return task(name)(lambda: name)


a, b, c, d = (make(n) for n in "abcd")


@task
def after():
    return "after"


with workflow("w") as wf:
    first, second = a | b, c | d
    first >> after
    both = first | second
    print(both, list(wf.graph.nodes), wf.graph.get_edges())
    result, ctx = wf.execute(start_node=both.task_id, ret_context=True)
    print(result, ctx.completed_tasks)
    print([ctx.get_result(n) for n in ("a", "b", "c", "d", "after")])
