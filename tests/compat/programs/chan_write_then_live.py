"""A key that a task writes and then locks or adds to keeps both, wherever the task runs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        channel = ctx.get_channel()
        channel.append("items", 1)
        with channel.lock("items"):
            channel.append("items", 2)
        channel.set("n", 5)
        channel.atomic_add("n", 1)
        return channel.get("items"), channel.get("n")

    @task(inject_context=True)
    def second(ctx):
        channel = ctx.get_channel()
        print(channel.get("items"), channel.get("n"))

    first >> second
    wf.execute()
