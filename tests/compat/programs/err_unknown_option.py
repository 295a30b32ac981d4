"""A keyword argument that does not exist is a TypeError, wherever it is given."""

from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy
from graflow.core.workflow import workflow

with workflow("options") as wf:
    a = task("a")(lambda: 1)
    b = task("b")(lambda: 2)

for call in (
    lambda: wf.execute(initial_chanel={}),
    lambda: wf.execute(start="a"),
    lambda: workflow("options", trace=None),
    lambda: task(inject_contxt=True),
    lambda: RetryPolicy(max_retry=1),
    lambda: (a | b).with_execution(polcy="strict"),
    lambda: wf.execute("a", 10, True, {}, 5),
):
    try:
        print(call())
    except TypeError:
        print("TypeError")
