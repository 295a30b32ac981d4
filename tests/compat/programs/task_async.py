"""An async function is a task's body, and its result what it returns.

differs: graflow takes it, and nobody awaits the coroutine that it returns: the body never runs.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("async") as wf:

    @task
    async def fetch():
        print("fetching")
        return 1

    result = wf.execute()
    print(type(result).__name__)
    if type(result).__name__ == "coroutine":
        result.close()
