"""A bound parameter that the function does not have.

Check the spelling.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load(path):
        return path

    load(task_id="users", paht="users.csv")
    wf.execute("users")
