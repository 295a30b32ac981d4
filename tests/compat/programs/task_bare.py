"""@task without parentheses takes the function's name."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def hello():
        """Says hello."""
        return "hello"

    print(hello.task_id, hello, hello.__name__, hello.__doc__)
    print(wf.execute())
