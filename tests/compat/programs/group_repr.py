"""repr of a group; | adds to the group on its left, and to one on its right at the front."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c, d = (task(n)(lambda: None) for n in "abcd")
with workflow("w") as wf:
    group = a | b
    print(group, group.task_id)
    print(group | c, (group | d) is group)
    print(list(wf.graph.nodes))
