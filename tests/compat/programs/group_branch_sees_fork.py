"""A branch sees the channel as it was at the fork plus its own writes; after the join the parent has the writes."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def s(ctx):
    ctx.get_channel().set("base", 1)


def make(name):
    @task(name, inject_context=True)
    def body(ctx):
        channel = ctx.get_channel()
        channel.set(f"by_{name}", channel.get("base"))
        return [key for key in sorted(channel.keys()) if key.startswith("by_")]

    return body


@task(inject_context=True)
def e(ctx):
    channel = ctx.get_channel()
    return {k: channel.get(k) for k in ("base", "by_a", "by_b")}


a, b = make("a"), make("b")
with workflow("w") as wf:
    s >> (a | b) >> e
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.get_result("a"), ctx.get_result("b"))
