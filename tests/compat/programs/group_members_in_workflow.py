"""Members made inside `with` are nodes without edges; they are not roots.

differs: graflow counts them as roots and finds several start nodes when the group has a predecessor.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:

    @task
    def s():
        return 1

    @task
    def a():
        return 2

    @task
    def b():
        return 3

    s >> (a | b)
    try:
        _, ctx = wf.execute(ret_context=True)
        print(ctx.completed_tasks, ctx.get_result("a"), ctx.get_result("b"))
    except GraphCompilationError as error:
        print("GraphCompilationError:", error)
