"""Options of a task can be set after it was made; instances made before keep theirs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def flaky(ctx):
        print(ctx.task_id, ctx.retry_count, ctx.max_retries)
        raise ValueError("x")

    before = flaky(task_id="before")
    flaky.max_retries = 1
    flaky.max_cycles = 3
    after = flaky(task_id="after")
    print(flaky.max_retries, flaky.max_cycles, flaky.handler_type, before.max_retries, after.max_retries)
    for name in ("flaky", "before", "after"):
        try:
            wf.execute(name)
        except Exception as error:
            print(type(error).__name__)
