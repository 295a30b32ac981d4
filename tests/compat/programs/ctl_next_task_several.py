"""Several next_task run in call order, then the successors."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        for name in "xyz":
            ctx.next_task(TaskWrapper(name, lambda n=name: n.upper(), register_to_context=False))

    @task(inject_context=True)
    def b(ctx):
        return [ctx.get_result(n) for n in "xyz"]

    a >> b
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks)
