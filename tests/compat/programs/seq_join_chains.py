"""Chains join end to start with >> and <<."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    return task(name)(lambda: None)


with workflow("w") as wf:
    a, b, c, d, e = (make(n) for n in "abcde")
    first, second = a >> b, c >> d
    both = first >> second
    print(both, wf.graph.get_edges())
    print(e >> both, wf.graph.get_edges())

with workflow("w2") as wf:
    a, b, c, d, e = (make(n) for n in "abcde")
    both = (c >> d) << (a >> b)
    print(both, wf.graph.get_edges())
    print(both << e, wf.graph.get_edges())
    print(wf.graph.get_start_nodes())
