"""`next_task` with something that is no task.

Name the task itself, without calling it, or look it up.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(inject_context=True)
    def load(ctx):
        ctx.next_task("save")

    wf.execute("load")
