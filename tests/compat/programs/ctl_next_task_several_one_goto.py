"""Of several next_task one with goto: all of them run, and the successors are skipped."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        for name in "xyz":
            ctx.next_task(TaskWrapper(name, lambda n=name: n, register_to_context=False), goto=name == "y")

    a >> task("b")(lambda: print("b"))
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
