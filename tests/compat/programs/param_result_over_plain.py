"""`<name>.__result__` in the channel wins over `<name>`."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def load():
        return "result"

    @task
    def show(load):
        return load

    load >> show
    print(wf.execute(initial_channel={"load": "plain"}))
