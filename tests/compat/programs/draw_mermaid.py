"""draw_mermaid of a diamond and of a group."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.utils.graph import draw_mermaid

s, a, b, e = (task(n)(lambda: None) for n in "sabe")
with workflow("w") as wf:
    s >> a >> e
    s >> b >> e
    print(draw_mermaid(wf.graph.nx_graph(), title="Diamond"))
s, a, b, e = (task(n)(lambda: None) for n in "sabe")
with workflow("w") as wf:
    s >> (a | b).set_group_name("both") >> e
    for options in ({"with_styles": False}, {"node_colors": {"s": "#ff0000"}}):
        print("\n".join(sorted(draw_mermaid(wf.graph.nx_graph(), **options).splitlines())))  # members come in any order
