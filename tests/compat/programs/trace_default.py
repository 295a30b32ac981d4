"""Without a tracer a run has a NoopTracer of its own."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b = task("a")(lambda: 1), task("b")(lambda: 2)
    a >> b
    _, ctx = wf.execute(ret_context=True)
    _, other = wf.execute(ret_context=True)
print(type(ctx.tracer).__name__, ctx.tracer is other.tracer, ctx.tracer.get_execution_order()[1:])
