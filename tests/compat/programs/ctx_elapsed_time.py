"""elapsed_time() counts from the start of the task."""

import time

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def slow():
        time.sleep(0.2)

    @task(inject_context=True)
    def a(ctx):
        first = ctx.elapsed_time()
        time.sleep(0.05)
        return first >= 0, ctx.elapsed_time() >= 0.05, ctx.start_time > 0

    slow >> a
    print(wf.execute())
