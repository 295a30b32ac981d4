"""A member that was made outside of the workflow may iterate too.

differs: graflow does not find the member in the graph, and it fails.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def a(ctx):
    if ctx.cycle_count < 3:
        ctx.next_iteration()
    return ctx.cycle_count


@task
def b():
    return "b"


@task(inject_context=True)
def e(ctx):
    return ctx.get_result("b"), ctx.cycle_count


with workflow("w") as wf:
    (a | b).set_group_name("g").with_execution(policy="best_effort") >> e
result, ctx = wf.execute(ret_context=True)
print(result, ctx.completed_tasks, ctx.cycle_controller.get_cycle_count("a"), ctx.steps)
