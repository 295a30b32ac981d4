"""Members that set the same key: the last member in the order of definition wins, whichever ended last.

In graflow the member that ends last wins; the recorded run is the one in which they end in order.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    @task(name, inject_context=True)
    def body(ctx):
        ctx.get_channel().set("x", name)

    return body


with workflow("w") as wf:
    make("a") | make("b") | make("c")
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_channel().get("x"))
