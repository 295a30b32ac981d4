"""show_info tells of cycles."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("demo") as wf:
    a, b = (task(n)(lambda: None) for n in "ab")
    a >> b
    b >> a
    print([sorted(c) for c in wf.graph.detect_cycles()])
