"""A resumed run can write checkpoints itself."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.checkpoint(path="one")

    @task(inject_context=True)
    def b(ctx):
        ctx.checkpoint(path="two")

    c = task("c")(lambda: "end")
    a >> b >> c
    wf.execute(max_steps=1)
first, _ = CheckpointManager.resume_from_checkpoint("one.pkl")
first.max_steps = 2
first.execute()
second, metadata = CheckpointManager.resume_from_checkpoint("two.pkl")
second.max_steps = 100
print(metadata.steps, second.completed_tasks, second.execute(), second.completed_tasks)
