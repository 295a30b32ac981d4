"""Of a mapping returned by the task before, an open parameter takes the item of its name.

differs: in graflow the parameters stay open and the call fails.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return {"width": 3, "height": 4}

    @task
    def area(width: int, height: int):
        return width * height

    load >> area
    try:
        print(wf.execute())
    except Exception as error:
        print(type(error).__name__, error)
