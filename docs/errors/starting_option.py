"""An option that does not exist.

Check the spelling.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        return 1

    wf.execute(max_worker=2)
