"""A workflow was started while a run of it was under way.

Wait for the first one, or build the workflow in a function and call that for each run.
"""

import threading

from graflow_fast import task, workflow

go_on = threading.Event()

with workflow("report") as wf:

    @task
    def fetch():
        go_on.wait()

    run = wf.start()
    try:
        wf.execute()
    finally:
        go_on.set()
        run.result()
