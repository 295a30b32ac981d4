"""append and prepend make lists and return their length; other values are refused."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        channel = ctx.get_channel()
        print(channel.append("l", 1), channel.append("l", 2), channel.prepend("l", 0), channel.get("l"))
        print(channel.prepend("m", "x"), channel.get("m"))
        channel.set("n", 5)
        for method in (channel.append, channel.prepend):
            try:
                method("n", 1)
            except TypeError as error:
                print(error)

    @task(inject_context=True)
    def b(ctx):
        print(ctx.get_channel().append("l", 3), ctx.get_channel().get("l"))

    a >> b
    wf.execute()
