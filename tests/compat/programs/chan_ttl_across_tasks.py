"""A ttl goes on over task boundaries."""

import time

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.get_channel().set("short", 1, ttl=0.3)

    @task(inject_context=True)
    def b(ctx):
        time.sleep(0.5)
        return ctx.get_channel().exists("short")

    a >> b
    print(wf.execute())
