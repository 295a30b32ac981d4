"""After iterations the task's result is that of its last run.

differs: graflow keeps the first run's result under the task's name, and the later ones under the iterations' ids only.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx):
        if ctx.cycle_count < 3:
            ctx.next_iteration()
        return ctx.cycle_count

    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("loop"))
