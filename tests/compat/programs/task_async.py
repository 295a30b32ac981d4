"""An async function is no task's body, and said so where it is defined.

differs: graflow takes it, and nobody awaits the coroutine that it returns: the body never runs.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowError

try:
    with workflow("async") as wf:

        @task
        async def fetch():
            print("fetching")

        result = wf.execute()
        print(type(result).__name__)
        result.close()
except GraflowError as error:
    print(error)
