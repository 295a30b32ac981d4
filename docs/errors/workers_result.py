"""A result that can't be sent back.

Return the data rather than what reads it.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        return {"rows": (line for line in ["a", "b"])}

    wf.execute(executor="process")
