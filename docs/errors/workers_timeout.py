"""A task that takes longer than its `timeout`.

Its worker is stopped, so the task really ends.
"""

import time

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(timeout=0.2)
    def load():
        time.sleep(60)

    wf.execute()
