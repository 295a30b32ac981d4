"""A static cycle runs round and round until max_steps or terminate_workflow."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        n = ctx.get_channel().atomic_add("n")
        if n == 4:
            ctx.terminate_workflow("four")
        return n

    b = task("b")(lambda a: a * 10)
    a >> b
    b >> a
    result, ctx = wf.execute(start_node="a", ret_context=True)
    print(result, ctx.steps, ctx.completed_tasks, ctx.cycle_controller.cycle_counts)
    result, ctx = wf.execute(start_node="a", max_steps=4, ret_context=True)
    print(result, ctx.steps, ctx.get_result("b"))
