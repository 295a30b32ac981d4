"""A free task can be used in several workflows.

differs: in graflow the first workflow keeps it; in the second one the node has no task.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return 1


@task
def b(a):
    return a + 1


for name in ("one", "two"):
    with workflow(name) as wf:
        a >> b
        try:
            print(wf.execute())
        except Exception as error:
            print(type(error).__name__)
