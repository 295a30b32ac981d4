"""A fragment a >> (b | c) >> d built inside a running task runs as a whole.

differs: in graflow a group made outside of a workflow's block goes to an implicit workflow, and its edges are lost.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def s(ctx):
        @task
        def a():
            return 1

        @task
        def b(a):
            return a + 1

        @task
        def c(a):
            return a + 2

        @task
        def d(b, c):
            return b * c

        ctx.next_task(a >> (b | c) >> d)

    @task(inject_context=True)
    def e(ctx):
        return "e"

    s >> e
try:
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("d"), ctx.get_result("e"))
except Exception as error:
    print(type(error).__name__)
