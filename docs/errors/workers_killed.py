"""A worker that is killed, for instance because the machine ran out of memory.

Run fewer workers, or give the task a `memory_limit`.
"""

import os
import signal

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        os.kill(os.getpid(), signal.SIGKILL)

    wf.execute(executor="process")
