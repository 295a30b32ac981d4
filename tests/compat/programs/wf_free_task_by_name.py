"""Free tasks of the module are found by name: as start node and with ctx.graph.get_node.

differs: graflow only knows the tasks that are in the workflow.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def on_error():
    return "handled"


@task(inject_context=True)
def work(ctx):
    ctx.next_task(ctx.graph.get_node("on_error"), goto=True)


with workflow("w") as wf:
    try:
        print(wf.execute("work"))
    except Exception as error:
        print(type(error).__name__)
