"""A start that does not exist.

Check the spelling.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def publish():
        return 1

    wf.execute("pubish")
