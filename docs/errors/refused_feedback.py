"""Human feedback.

It is lent by an installed `graflow`.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def approve(ctx):
        return ctx.request_approval("Send the report?")

    wf.execute()
