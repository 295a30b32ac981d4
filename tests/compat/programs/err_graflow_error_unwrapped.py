"""A GraflowRuntimeError raised by a body comes out as it is; other GraflowErrors are wrapped."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import (
    ConfigError,
    CycleLimitExceededError,
    GraflowRuntimeError,
    GraphCompilationError,
    TaskError,
)

makers = [
    lambda: GraflowRuntimeError("own"),
    lambda: TaskError("t", "own", ValueError("inner")),
    lambda: CycleLimitExceededError("t", 1, 2),
    lambda: ConfigError("own"),
    lambda: GraphCompilationError("own"),
]
for make in makers:

    def body():
        raise make()

    with workflow("w") as wf:
        task("a")(body)
        try:
            wf.execute()
        except Exception as error:
            print(type(error).__name__, "|", error)
