"""A task without any edge is no root when the workflow has edges; it is there for goto.

differs: graflow finds several start nodes.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(ctx.graph.get_node("handler"), goto=True)

    @task
    def b():
        print("b")

    @task
    def handler():
        return "handled"

    a >> b
    try:
        print(wf.execute())
    except GraphCompilationError as error:
        print("GraphCompilationError:", error)
