"""A start node that does not exist is an error that names it.

differs: graflow runs nothing and returns None.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowError

with workflow("w") as wf:
    task("a")(lambda: 1)
    try:
        print(wf.execute(start_node="nowhere"))
    except GraflowError as error:
        print("nowhere" in str(error))
