"""A run took longer than its deadline.

What ran in worker processes was stopped, and is named. `stopped` of the error has all the names.
"""

import time

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(handler="process")
    def fetch():
        time.sleep(60)

    wf.execute(deadline=1.5)
