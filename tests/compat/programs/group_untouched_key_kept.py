"""A member that does not touch a key leaves the writes of the others alone.

differs: graflow copies the whole channel of each branch back, so a member that has not touched a key
puts the old value back.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def a(ctx):
    ctx.get_channel().set("x", "new")


@task
def b():
    pass


with workflow("w") as wf:
    a | b
    _, ctx = wf.execute(ret_context=True, initial_channel={"x": "old"})
    print(ctx.get_channel().get("x"))
