"""An executor that does not exist.

Choose one of those named.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        return 1

    wf.execute(executor="processes")
