"""A function that can't be sent, because of what it captured.

Open it inside the task, or keep the task in the calling process.
"""

import threading

from graflow_fast import task, workflow

lock = threading.Lock()

with workflow("report") as wf:

    @task
    def load():
        with lock:
            return 1

    wf.execute(executor="process")
