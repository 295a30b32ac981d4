"""An argument that can't be sent to a worker.

Open it inside the task.
"""

import threading

from graflow_fast import task, workflow


class Client:
    def __init__(self):
        self.pool = [threading.Lock()]


with workflow("report") as wf:

    @task
    def load(client):
        return 1

    load(task_id="users", client=Client())
    wf.execute("users", executor="process")
