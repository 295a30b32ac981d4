"""a << b means b >> a; c << b << a is c after a after b."""

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

    chain = b << a
    print(chain, wf.graph.get_edges())
    c << chain
    print(c << chain, wf.graph.get_edges())
    wf.execute()
