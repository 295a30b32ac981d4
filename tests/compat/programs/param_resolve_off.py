"""resolve_keyword_args=False leaves the channel out."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(resolve_keyword_args=False)
    def show(x="default"):
        return x

    print(wf.execute(initial_channel={"x": "channel"}))
