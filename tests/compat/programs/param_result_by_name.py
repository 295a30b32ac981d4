"""A parameter named like a task takes that task's result, also several steps later."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def first():
        return 1

    @task
    def second(first):
        return first + 1

    @task
    def third(first, second):
        return first + second

    first >> second >> third
    print(wf.execute())
