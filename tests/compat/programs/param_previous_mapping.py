"""A parameter whose annotation fits the mapping takes the whole mapping, although it holds an item of that name.

differs: in graflow the parameter stays open and the call fails.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return {"data": 1, "valid": True}

    @task
    def show(data: dict):
        return sorted(data)

    load >> show
    try:
        print(wf.execute())
    except Exception as error:
        print(type(error).__name__, error)
