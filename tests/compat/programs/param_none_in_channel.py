"""None in the channel beats a parameter's default."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return None

    @task
    def show(load="default", x="default"):
        return load, x

    load >> show
    print(wf.execute(initial_channel={"x": None}))
