"""Two ids for one task.

Say it once.
"""

from graflow_fast import task


@task("load", id="read")
def load():
    return 1
