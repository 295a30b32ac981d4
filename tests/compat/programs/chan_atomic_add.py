"""atomic_add: default 1, floats, negative; what is not a number is refused."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        channel = ctx.get_channel()
        print(
            channel.atomic_add("n"),
            channel.atomic_add("n", 5),
            channel.atomic_add("n", -2),
            channel.atomic_add("f", 0.5),
        )
        channel.set("n", 10)
        print(channel.atomic_add("n"), channel.get("n"))
        channel.set("s", "text")
        try:
            channel.atomic_add("s")
        except TypeError as error:
            print(error)

    wf.execute()
