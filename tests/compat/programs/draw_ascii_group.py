"""draw_ascii of a group between two tasks."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.utils.graph import draw_ascii

s, a, b, e = (task(n)(lambda: None) for n in "sabe")
with workflow("w") as wf:
    s >> (a | b).set_group_name("both") >> e
    text = draw_ascii(wf.graph.nx_graph())
    print("\n".join(line.rstrip() for line in text.splitlines()))
