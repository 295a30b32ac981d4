"""A goto in a member to a task outside means the whole workflow: the group's successors are skipped.

differs: in graflow the target runs in the branch and the group's successor still runs.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

rescue = task("rescue")(lambda: print("rescue"))
e = task("e")(lambda: print("e"))


@task(inject_context=True)
def a(ctx):
    ctx.next_task(ctx.graph.get_node("rescue"), goto=True)


@task
def b():
    return "b"


with workflow("w") as wf:
    (a | b) >> e >> rescue
    _, ctx = wf.execute(start_node="ParallelGroup_1", ret_context=True)
    print(ctx.completed_tasks)
