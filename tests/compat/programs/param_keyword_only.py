"""Keyword-only parameters are filled from the channel; *args and **kwargs are not."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def show(*args, x, y=2, **kwargs):
        return args, x, y, kwargs

    print(wf.execute(initial_channel={"x": 1, "args": 5, "kwargs": 6, "z": 7}))
