"""An empty workflow adopts the one task of the module that no workflow has used.

differs: graflow finds no start node.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError


@task
def used():
    return "used"


@task
def other():
    return "other"


@task
def lonely():
    return "lonely"


with workflow("first") as wf:
    used >> other
    print(wf.execute())
with workflow("second") as wf:
    try:
        print(wf.execute())
    except GraphCompilationError as error:
        print("GraphCompilationError:", error)
