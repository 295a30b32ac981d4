"""enable_runtime_graph=False: nothing is kept."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

tracer = NoopTracer(enable_runtime_graph=False)
with workflow("w", tracer=tracer) as wf:
    task("a")(lambda: 1)
    wf.execute()
print(tracer.get_runtime_graph(), tracer.get_execution_order(), tracer.export_runtime_graph())
