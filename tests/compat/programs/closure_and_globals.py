"""Bodies read globals, closures, defaults, imported modules and other functions."""

import math

from graflow.core.decorators import task
from graflow.core.workflow import workflow

OFFSET = 100


def helper(x):
    return x + OFFSET


def make(factor):
    @task(f"by_{factor}")
    def body(start, digits=2):
        return round(helper(start) * factor * math.pi, digits)

    return body


with workflow("w") as wf:
    start = task("start")(lambda: 1)
    collect = task("collect", inject_context=True)(lambda ctx: (ctx.get_result("by_2"), ctx.get_result("by_3")))
    start >> (make(2) | make(3)) >> collect
    print(wf.execute(start_node="start"))
