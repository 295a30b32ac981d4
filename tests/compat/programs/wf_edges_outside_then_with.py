"""Edges made outside belong to the implicit workflow, not to a `with` block that comes later."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c, d = (task(n)(lambda n=n: n) for n in "abcd")
with workflow("one") as one:
    a >> b
with workflow("two") as two:
    c >> d
print(one.graph.get_edges(), two.graph.get_edges(), one.execute(), two.execute())
