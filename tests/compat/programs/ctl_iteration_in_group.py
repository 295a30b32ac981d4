"""A member of a group may iterate in its branch."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.get_channel().append("a_log", ctx.cycle_count)
        if ctx.cycle_count < 3:
            ctx.next_iteration()

    @task
    def b():
        return "b"

    @task(inject_context=True)
    def e(ctx):
        return ctx.get_channel().get("a_log"), ctx.get_result("b")

    (a | b).set_group_name("g") >> e
result, ctx = wf.execute(start_node="g", ret_context=True)
print(result, ctx.completed_tasks, ctx.steps, sorted(ctx.cycle_controller.cycle_counts.items()))
