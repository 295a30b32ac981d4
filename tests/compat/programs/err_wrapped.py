"""A failing body comes out as GraflowRuntimeError with the message and the cause."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowError, GraflowRuntimeError

with workflow("w") as wf:

    @task
    def a():
        raise ValueError("broken")

    try:
        wf.execute()
    except GraflowRuntimeError as error:
        print(type(error).__name__, "|", error, "|", error.args, "|", repr(error.cause))
        print(isinstance(error, GraflowError), type(error.cause).__name__, error.cause.args)
