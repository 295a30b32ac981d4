"""workflow(name, tracer=...) hands the tracer to the runs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

tracer = NoopTracer()
with workflow("named", tracer=tracer) as wf:
    a, b = task("a")(lambda: 1), task("b")(lambda: 2)
    a >> b
    _, ctx = wf.execute(ret_context=True)
    print(wf.name, ctx.tracer is tracer, tracer.get_execution_order()[1:])
