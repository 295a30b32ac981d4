"""A body's result is stored as it is: tuples, sets, dictionaries, None, classes."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

values = [(1, 2), {3}, {"k": [4]}, None, int, b"bytes", 1.5, range(3), frozenset({1})]
for value in values:
    with workflow("w") as wf:
        a = task("a")(lambda: value)
        b = task("b", inject_context=True)(
            lambda ctx: (type(ctx.get_result("a")).__name__, ctx.get_result("a") == value)
        )
        a >> b
        print(wf.execute())
