"""A checkpoint in an iteration: the resumed run goes on with the next one, with its data and counts."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx, data=0):
        print(ctx.cycle_count, data)
        if ctx.cycle_count == 2:
            ctx.checkpoint(path="point")
        if ctx.cycle_count < 4:
            ctx.next_iteration(data + 10)
        return data

    print(wf.execute())
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
print(len(context.completed_tasks), context.cycle_controller.cycle_counts)
print(context.execute(), context.steps)
