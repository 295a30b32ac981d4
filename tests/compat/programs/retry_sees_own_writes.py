"""What a failed attempt wrote to the channel is there for the next one."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=3)
    def a(ctx):
        channel = ctx.get_channel()
        channel.append("tries", ctx.retry_count)
        if ctx.retry_count < 3:
            raise ValueError("again")
        return channel.get("tries")

    print(wf.execute())
