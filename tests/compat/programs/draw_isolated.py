"""A task without edges is drawn too.

differs: graflow leaves it out of the ASCII drawing when there are tasks with edges.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("demo") as wf:
    a, b = (task(n)(lambda: None) for n in "ab")
    a >> b
    task("alone")(lambda: None)
    print("alone" in str(wf.graph))
