"""@task("id") names the task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task("named")
    def hello():
        return 1

    @task("second", inject_context=True)
    def other(ctx):
        return ctx.task_id

    hello >> other
    print(hello.task_id, hello.__name__, list(wf.graph.nodes))
    print(wf.execute())
