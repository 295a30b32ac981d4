"""A task with `cache=True` whose argument can't be compared.

A warning, for the result is right: the body runs each time. [Results that are kept](cache.md) says what else is not.
"""

import threading

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(cache=True)
    def load(source):
        return "loaded"

    load(task_id="users", source={"lock": threading.Lock()})
    print(wf.execute())
