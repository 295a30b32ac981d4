"""A new task given to next_task runs before the static successors, which run too.

The workflow is executed after its block: inside of it graflow would take the new task for an existing one.
"""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        extra = TaskWrapper("extra", lambda: print("extra"), register_to_context=False)
        print("id:", ctx.next_task(extra))
        print("a")

    @task
    def b():
        print("b")

    a >> b
_, ctx = wf.execute(ret_context=True)
print(ctx.completed_tasks)
