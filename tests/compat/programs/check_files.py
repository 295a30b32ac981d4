"""A checkpoint is three files; without a path it goes to checkpoints/<session>."""

import json
import os

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.checkpoint()

    b = task("b")(lambda: 2)
    a >> b
    _, ctx = wf.execute(ret_context=True)
directory = os.path.join("checkpoints", ctx.session_id)
names = sorted(os.listdir(directory))
print([n[n.index(".") :] for n in names], names[0].startswith(f"session_{ctx.session_id}_step_1_"))
print(
    os.path.normpath(ctx.last_checkpoint_path)
    == os.path.normpath(os.path.join(directory, next(n for n in names if n.endswith(".pkl"))))
)
with open(os.path.join(directory, next(n for n in names if n.endswith(".state.json")))) as file:
    state = json.load(file)
print(state["completed_tasks"], state["steps"], state["start_node"], state["cycle_counts"], state["schema_version"])
print(
    [spec["task_id"] for spec in state["pending_tasks"]],
    state["resuming_task_id"],
    state["session_id"] == ctx.session_id,
)
with open(os.path.join(directory, next(n for n in names if n.endswith(".meta.json")))) as file:
    meta = json.load(file)
print(
    sorted(meta), sorted(meta["user_metadata"]), meta["user_metadata"]["task_id"], meta["user_metadata"]["cycle_count"]
)
context, metadata = CheckpointManager.resume_from_checkpoint(ctx.last_checkpoint_path)
print(context.execute(), metadata.to_dict() == meta, ctx.checkpoint_metadata == meta)
