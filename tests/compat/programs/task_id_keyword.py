"""@task(id=...) names the task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(id="named", inject_context=True)
    def hello(ctx):
        return ctx.task_id

    print(hello.task_id, hello.inject_context, hello.max_cycles, hello.max_retries, hello.retry_policy)
    print(wf.execute())
