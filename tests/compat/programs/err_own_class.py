"""The cause keeps its class and attributes."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


class OwnError(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return OwnError, (self.code,)


with workflow("w") as wf:

    @task
    def a():
        raise OwnError(7)

    try:
        wf.execute()
    except Exception as error:
        print(error, type(error.cause) is OwnError, error.cause.code)
