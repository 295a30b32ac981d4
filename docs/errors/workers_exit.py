"""A worker that ends while it runs a task.

Only this task is lost. With `max_retries` it would be tried again.
"""

import os

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        print("loading")
        os._exit(3)

    wf.execute(executor="process")
