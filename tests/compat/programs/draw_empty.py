"""Drawing an empty graph and a single node."""

from graflow.core.task import Task
from graflow.core.workflow import WorkflowContext
from graflow.utils.graph import draw_ascii, draw_mermaid

wf = WorkflowContext("w")
print(draw_ascii(wf.graph.nx_graph()))
print(draw_mermaid(wf.graph.nx_graph()))
wf.add_node("one", Task("one", register_to_context=False))
print(draw_ascii(wf.graph.nx_graph()))
print(draw_mermaid(wf.graph.nx_graph(), with_styles=False))
