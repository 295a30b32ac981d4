"""The same as an error.

`GRAFLOW_FAST_LOST_MUTATION=error` is for tests and CI.
"""

import os

os.environ["GRAFLOW_FAST_LOST_MUTATION"] = "error"

from graflow_fast import task, workflow

seen = []

with workflow("report") as wf:

    @task
    def load():
        seen.append("users.csv")

    wf.execute(executor="process")
