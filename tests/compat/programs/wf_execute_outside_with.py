"""A workflow can be executed after its block."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b = task("a")(lambda: 1), task("b")(lambda a: a + 1)
    a >> b
print(wf.execute())
