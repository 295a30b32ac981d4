"""The runtime graph of the parent has the group, not its members."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

a, b, c = (task(n)(lambda: None) for n in "abc")
tracer = NoopTracer()
with workflow("w", tracer=tracer) as wf:
    (a | b).set_group_name("g") >> c
    wf.execute()
print(
    tracer.get_execution_order()[1:], list(tracer.get_runtime_graph().nodes)[1:], list(tracer.get_runtime_graph().edges)
)
