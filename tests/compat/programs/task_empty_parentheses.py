"""@task() takes the function's name too."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task()
    def hello():
        return 1

    print(hello.task_id, type(hello).__name__, hello.handler_type)
    print(wf.execute())
