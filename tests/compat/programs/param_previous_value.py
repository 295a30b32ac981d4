"""An open parameter takes the value that the task before returned.

differs: in graflow the parameter stays open and the call fails.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return [1, 2, 3]

    @task
    def total(numbers):
        return sum(numbers)

    load >> total
    try:
        print(wf.execute())
    except Exception as error:
        print(type(error).__name__, error)
