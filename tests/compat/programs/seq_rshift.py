"""a >> b >> c runs in order; the chain's repr, length, items and ends."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def a():
        print("a")

    @task
    def b():
        print("b")

    @task
    def c():
        print("c")
        return "last"

    chain = a >> b >> c
    print(chain, len(chain), [t.task_id for t in chain], chain[1].task_id, chain[-1].task_id)
    print(chain.task_id, chain.leftmost.task_id, chain.rightmost.task_id, type(chain).__name__)
    print(wf.graph.get_edges())
    print(wf.execute())
