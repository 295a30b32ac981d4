"""Something in a chain that is no task.

Often the task was called, and its result stands there.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        return 1

    load >> 5
