"""The first parameter of an inject_context task is the context, whatever the channel holds under its name."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def show(ctx, x):
        return type(ctx).__name__, x

    print(wf.execute(initial_channel={"ctx": "channel", "x": 1}))
