"""Two groups without successors merge under |; the second one's node goes away."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c, d = (task(n)(lambda: None) for n in "abcd")
with workflow("w") as wf:
    first, second = a | b, c | d
    both = first | second
    print(both, both is first, list(wf.graph.nodes))
