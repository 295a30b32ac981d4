"""draw_ascii and str(graph) of a chain."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.utils.graph import draw_ascii

with workflow("w") as wf:
    a, b, c = (task(n)(lambda: None) for n in ("first", "second", "third"))
    a >> b >> c
    print(draw_ascii(wf.graph.nx_graph()))
    print(str(wf.graph) == draw_ascii(wf.graph.nx_graph()))
