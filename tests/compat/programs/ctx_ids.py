"""task_id, session_id, trace_id and str of the task's context."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        return ctx.task_id, ctx.session_id, ctx.trace_id, str(ctx), ctx.get_channel().name

    (task_id, session, trace, text, channel), ctx = wf.execute(ret_context=True)
    print(task_id, session == ctx.session_id, trace == ctx.trace_id, channel == session, text)
