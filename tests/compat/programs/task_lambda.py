"""A lambda becomes a task of the name given."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    double = task("double")(lambda: 21 * 2)
    print(double.task_id, double.__name__)
    print(wf.execute())
