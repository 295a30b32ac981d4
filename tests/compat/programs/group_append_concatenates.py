"""Appends of the members are concatenated in member order.

differs: in graflow each branch appends to the same list object or overwrites the key, depending on who made the list.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    @task(name, inject_context=True)
    def body(ctx):
        ctx.get_channel().append("log", name)
        ctx.get_channel().append("log", name.upper())

    return body


with workflow("w") as wf:
    make("a") | make("b") | make("c")
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_channel().get("log"))
