"""A cycle without a root needs a start node."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:
    a, b = (task(n)(lambda: None) for n in "ab")
    a >> b
    b >> a
    try:
        wf.execute()
    except GraphCompilationError as error:
        print("GraphCompilationError", type(error).__name__)
    print(wf.execute(start_node="a", max_steps=3))
