"""A member of a group fails.

The first member's error is the cause, all are named. `with_execution(policy="best_effort")` goes on without them.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def users():
        raise FileNotFoundError("users.csv")

    @task
    def orders():
        raise ValueError("empty file")

    @task
    def prices():
        return 1

    users | orders | prices
    wf.execute()
