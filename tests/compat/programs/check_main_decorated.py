"""A checkpoint holds what a script made with the standard library's decorators.

differs: graflow's checkpoint can't hold a class with a cached property: `cannot pickle '_thread.RLock' object`.
"""

import functools

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow


@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


class Lazy:
    @functools.cached_property
    def number(self):
        return fibonacci(20)


with workflow("checkpoint") as wf:

    @task(inject_context=True)
    def first(ctx):
        ctx.checkpoint(path="saved")
        return Lazy()

    @task
    def second(first):
        print(first.number)

    first >> second
    try:
        wf.execute()
        context, _ = CheckpointManager.resume_from_checkpoint("saved")
        WorkflowEngine().execute(context)
    except Exception as error:
        print(type(error).__name__)
