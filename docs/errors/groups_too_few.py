"""Too few members succeed.

`AtLeastNGroupPolicy` says how many must.
"""

from graflow_fast import task, workflow
from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy

with workflow("report") as wf:

    @task
    def users():
        raise FileNotFoundError("users.csv")

    @task
    def orders():
        return 1

    (users | orders).with_execution(policy=AtLeastNGroupPolicy(2))
    wf.execute()
