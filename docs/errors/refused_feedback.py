"""Human feedback.

It belongs to `graflow`; `input()` inside a body works for small programs.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def approve(ctx):
        return ctx.request_approval("Send the report?")

    wf.execute()
