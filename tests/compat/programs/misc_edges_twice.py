"""The same edge twice is one edge."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b = (task(n)(lambda n=n: print(n)) for n in "ab")
    a >> b
    a >> b
    print(wf.graph.get_edges())
    wf.execute()
