"""A branch has a session of its own, named after the parent's and the member; the trace is shared."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def s(ctx):
    return ctx.session_id, ctx.trace_id


def make(name):
    @task(name, inject_context=True)
    def body(ctx):
        return ctx.session_id, ctx.trace_id, ctx.get_channel().name

    return body


a, b = make("a"), make("b")
with workflow("w") as wf:
    s >> (a | b)
    _, ctx = wf.execute(ret_context=True)
    session, trace = ctx.get_result("s")
    print(session == ctx.session_id, trace == ctx.trace_id, session == trace, len(session))
    for name in "ab":
        branch, branch_trace, channel = ctx.get_result(name)
        print(branch == f"{session}_{name}", branch_trace == trace, channel == branch)
