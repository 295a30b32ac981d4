"""Every attempt failed.

The cause is what the last attempt raised.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(max_retries=2, inject_context=True)
    def fetch(ctx):
        raise ConnectionError(f"no answer to call {ctx.retry_count + 1}")

    wf.execute()
