"""A default is stronger than the value of the task before.

A parameter with a default is filled by it, so only parameters without one are open.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return 5

    @task
    def show(x="default"):
        return x

    load >> show
    print(wf.execute())
