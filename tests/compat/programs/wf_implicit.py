"""Edges outside of any `with` go to an implicit workflow, which can be executed."""

from graflow.core.decorators import task
from graflow.core.workflow import clear_workflow_context, current_workflow_context


@task
def a():
    return 1


@task
def b(a):
    return a + 1


a >> b
wf = current_workflow_context()
print(list(wf.graph.nodes), wf.graph.get_edges(), wf.execute())
clear_workflow_context()
