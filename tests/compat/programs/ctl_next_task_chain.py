"""A task added at run time can add further ones."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        def add(ctx, depth):
            if depth:
                ctx.next_task(
                    TaskWrapper(
                        f"t{depth}",
                        lambda ctx, d=depth: add(ctx, d - 1),
                        inject_context=True,
                        register_to_context=False,
                    )
                )
            return depth

        add(ctx, 3)

    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks)
