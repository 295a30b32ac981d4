"""get_execution_context() before a run is an error."""

from graflow.core.decorators import task
from graflow.exceptions import GraflowRuntimeError


@task
def a():
    pass


try:
    a.get_execution_context()
except GraflowRuntimeError as error:
    print(error)
