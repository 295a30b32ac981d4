"""An exception without words is named by its type.

differs: graflow's message is empty where the exception's is.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError

with workflow("w") as wf:

    @task
    def check():
        raise AssertionError

    try:
        wf.execute()
    except GraflowRuntimeError as error:
        print(error)
