"""Under DIRECT too each member sees the channel as it was at the fork, and members are not in completed_tasks.

differs: graflow runs the members of a DIRECT group in the parent's context: they see each other's writes, are in
completed_tasks, and count as steps before the group.
"""

from graflow.coordination.coordinator import CoordinationBackend
from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    @task(name, inject_context=True)
    def body(ctx):
        seen = ctx.get_channel().get("x")
        ctx.get_channel().set("x", name)
        return seen

    return body


with workflow("w") as wf:
    (make("a") | make("b")).set_group_name("g").with_execution(backend=CoordinationBackend.DIRECT)
    _, ctx = wf.execute(ret_context=True, initial_channel={"x": "start"})
    print(ctx.get_result("a"), ctx.get_result("b"), ctx.get_channel().get("x"), ctx.completed_tasks)
