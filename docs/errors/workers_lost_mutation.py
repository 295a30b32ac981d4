"""A task that changes a captured variable in a worker.

A warning, for the caller does not see the change. `GRAFLOW_FAST_LOST_MUTATION=ignore` silences it.
"""

from graflow_fast import task, workflow

seen = []

with workflow("report") as wf:

    @task
    def load():
        seen.append("users.csv")

    wf.execute(executor="process")
    print(seen)
