"""A task with retries failed with an error that they are not for.

It was not tried again: its `retry_on` names other errors, or its `give_up_on` this one.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(max_retries=2, retry_on=ConnectionError, inject_context=True)
    def fetch(ctx):
        if ctx.retry_count == 0:
            raise ConnectionError("no answer")
        raise PermissionError("not allowed")

    wf.execute()
