"""A list got from the channel and changed in place is changed for later tasks of the same caller.

executors: auto inline thread (in a worker process values arrive by value; a change in place is not a write)
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.get_channel().set("l", [1])

    @task(inject_context=True)
    def b(ctx):
        ctx.get_channel().get("l").append(2)

    @task(inject_context=True)
    def c(ctx):
        return ctx.get_channel().get("l")

    a >> b >> c
    print(wf.execute())
