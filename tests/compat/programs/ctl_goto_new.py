"""goto=True to a new task: it runs, the successors do not."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(TaskWrapper("fresh", lambda: "fresh", register_to_context=False), goto=True)

    a >> task("b")(lambda: print("b"))
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.graph.has_node("fresh"))
