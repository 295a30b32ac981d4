"""A group made at run time and enqueued with next_task runs before the successors.

The tasks are made outside of the running task, so both engines see the same.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return 1


@task
def b():
    return 2


with workflow("w") as wf:
    group = (a | b).set_group_name("late")

    @task(inject_context=True)
    def s(ctx):
        ctx.next_task(ctx.graph.get_node("late"), goto=True)

    @task(inject_context=True)
    def e(ctx):
        return ctx.get_result("a"), ctx.get_result("b")

    s >> task("never")(lambda: print("never"))
    group >> e
    result, ctx = wf.execute(start_node="s", ret_context=True)
    print(result, ctx.completed_tasks)
