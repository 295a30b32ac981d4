"""An empty workflow with two unused tasks: the error names them.

differs: graflow's error knows no tasks outside of the workflow.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError


@task
def lonely():
    return 1


@task
def lonesome():
    return 2


with workflow("w") as wf:
    try:
        print(wf.execute())
    except GraphCompilationError as error:
        print("GraphCompilationError", "lonely" in str(error), "lonesome" in str(error))
