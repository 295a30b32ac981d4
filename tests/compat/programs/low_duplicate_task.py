"""Two tasks of one name in a workflow are an error."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import DuplicateTaskError, GraflowError

with workflow("w") as wf:

    @task
    def a():
        return 1

    try:

        @task("a")
        def other():
            return 2
    except DuplicateTaskError as error:
        print(error, isinstance(error, GraflowError))
    print(wf.execute())
