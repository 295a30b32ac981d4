"""A limit where nothing could be stopped.

A body in the calling process can't be killed, so a task with a limit has to run in a worker process.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(timeout=10)
    def load():
        return 1

    wf.execute(executor="inline")
