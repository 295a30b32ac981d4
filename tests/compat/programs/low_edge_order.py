"""get_edges() lists edges by source node in the order in which the nodes were added."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c, d = (task(n)(lambda: None) for n in "abcd")
with workflow("w") as wf:
    c >> d
    a >> c
    b >> c
    a >> b
    print(list(wf.graph.nodes), wf.graph.get_edges())
    print(wf.graph.successors("a"), wf.graph.predecessors("c"), wf.graph.get_start_nodes())
