"""A deferred checkpoint is written after the task, with its successors pending; a resumed run goes on with them."""

import os

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        print("checkpoint:", ctx.checkpoint(path="point", metadata={"note": "x"}), os.path.exists("point.pkl"))
        ctx.get_channel().set("k", [1])
        return 1

    @task(inject_context=True)
    def b(ctx):
        print("b", ctx.get_channel().get("k"), ctx.get_result("a"), os.path.exists("point.pkl"))
        return 2

    c = task("c")(lambda b: b + 1)
    a >> b >> c
    result, ctx = wf.execute(ret_context=True)
    print(result, os.path.basename(ctx.last_checkpoint_path), ctx.checkpoint_requested)

context, metadata = CheckpointManager.resume_from_checkpoint("point.pkl")
print(
    metadata.steps,
    metadata.start_node,
    sorted(metadata.user_metadata),
    metadata.user_metadata["note"],
    metadata.user_metadata["mode"],
)
print(context.completed_tasks, context.steps, context.session_id == ctx.session_id, context.is_completed())
print(context.execute(), context.completed_tasks, context.steps)
