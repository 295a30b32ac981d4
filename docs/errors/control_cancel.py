"""A task cancelled the workflow.

The message is the one given; `error.task_id` is who.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def validate(ctx):
        ctx.cancel_workflow("Data validation failed")

    wf.execute()
