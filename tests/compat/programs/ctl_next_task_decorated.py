"""@task inside a running task makes a task that next_task attaches; the successors run too.

differs: in graflow the definition registers itself in the workflow of the `with` block, so next_task takes
the task for an existing one, and the successors are skipped.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        @task
        def extra():
            print("extra")

        @task
        def never():
            print("never")

        ctx.next_task(extra)
        print("a")

    @task
    def b():
        print("b")

    a >> b
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks, "never" in ctx.graph.nodes, ctx.graph.has_node("extra"))
