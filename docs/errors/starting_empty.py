"""Nothing to run.

An empty workflow runs the one task of its module that no workflow has used; here there are two.
"""

from graflow_fast import task, workflow


@task
def load():
    return 1


@task
def save():
    return 2


with workflow("report") as wf:
    wf.execute()
