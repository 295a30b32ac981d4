"""A handler that nobody has registered is an error that names those there are."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError

with workflow("w") as wf:

    @task(handler="submarine")
    def a():
        return 1

    try:
        wf.execute()
    except GraflowRuntimeError as error:
        print("submarine" in str(error), "direct" in str(error), type(error.cause).__name__)
