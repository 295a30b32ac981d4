"""A workflow runs a second time, after a body has added a task to its graph.

differs: in graflow what bodies added counts as a start node.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

extra = task("extra")(lambda: print("extra"))

with workflow("w") as wf:

    @task(inject_context=True)
    def start(ctx):
        print("start")
        ctx.next_task(extra)

    for _ in range(2):
        try:
            wf.execute()
        except Exception as error:
            print(type(error).__name__, error)
