"""Iterations talk through the channel."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def fib(ctx):
        channel = ctx.get_channel()
        a, b = channel.get("a", 0), channel.get("b", 1)
        channel.set("a", b)
        channel.set("b", a + b)
        if ctx.cycle_count < 8:
            ctx.next_iteration()
        return a

    print(wf.execute())
