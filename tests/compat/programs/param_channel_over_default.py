"""The channel wins over a parameter's default."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def show(x="default", y="default"):
        return x, y

    print(wf.execute(initial_channel={"x": "channel"}))
