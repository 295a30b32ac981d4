"""terminate_workflow in a member means the whole workflow; members declared before finish and count.

differs: in graflow it ends the member's branch only.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return "a"


@task(inject_context=True)
def b(ctx):
    ctx.terminate_workflow("enough")
    return "b"


@task
def e():
    print("e")


with workflow("w") as wf:
    (a | b) >> e
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("a"), ctx.get_result("b"), "e" in ctx.completed_tasks)
