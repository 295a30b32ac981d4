"""An exception that can't be sent back.

`RemoteTaskError` stands in for it, with its text and traceback.
"""

import threading

from graflow_fast import task, workflow


class Broken(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


with workflow("report") as wf:

    @task
    def load():
        raise Broken("the device is busy")

    wf.execute(executor="process")
