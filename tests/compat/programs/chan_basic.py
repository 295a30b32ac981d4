"""set, get, exists, delete, keys, clear."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        channel = ctx.get_channel()
        channel.set("x", 1)
        channel.set("y", None)
        print(channel.get("x"), channel.get("y", 5), channel.get("z"), channel.get("z", 5))
        print(channel.exists("x"), channel.exists("y"), channel.exists("z"), channel.keys())
        print(channel.delete("x"), channel.delete("x"), channel.keys())
        channel.set("y", 2)
        print(channel.get("y"))
        channel.clear()
        print(channel.keys())
        channel.set("after", 1)

    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_channel().keys())
