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
    print(draw_mermaid(wf.graph.nx_graph(), with_styles=False))
    print(draw_mermaid(wf.graph.nx_graph(), node_colors={"s": "#ff0000"}))
