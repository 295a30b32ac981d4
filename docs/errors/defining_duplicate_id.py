"""A task id that is taken.

Give one of the two another id: `@task(id="...")`, or `task_id=` when you make instances.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        return 1

    @task("load")
    def load_again():
        return 2
