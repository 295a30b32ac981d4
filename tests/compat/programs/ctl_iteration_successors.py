"""The successors of an iterating task wait until it stops iterating.

differs: graflow runs them after the first iteration, or never when the workflow is executed inside its block.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx):
        print("loop", ctx.cycle_count)
        if ctx.cycle_count < 3:
            ctx.next_iteration()

    @task
    def after():
        print("after")

    loop >> after
    wf.execute()
