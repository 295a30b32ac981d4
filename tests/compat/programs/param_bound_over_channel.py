"""Bound parameters win over the channel."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def show(x):
        return x

    show(task_id="one", x="bound")
    print(wf.execute(start_node="one", initial_channel={"x": "channel"}))
