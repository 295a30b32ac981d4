"""task | group and chain | group put the task in front of the group's members.

differs: graflow also makes an edge from the group to the task, which then runs a second time.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

s, a, b, c, d = (task(n)(lambda n=n: print(n)) for n in "sabcd")
with workflow("w") as wf:
    group = c | d
    print(b | group, wf.graph.get_edges())
    print((a >> s) | group)
