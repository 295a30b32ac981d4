"""export_runtime_graph as a dictionary, JSON; other formats are refused."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

tracer = NoopTracer()
with workflow("w", tracer=tracer) as wf:
    a, b = task("a")(lambda: 1), task("b")(lambda: 2)
    a >> b
    wf.execute()
data = tracer.export_runtime_graph()
print(sorted(data), [n["id"] for n in data["nodes"]][1:], data["edges"], data["execution_order"][1:])
data = tracer.export_runtime_graph("json")
print([sorted(n) for n in data["nodes"]][1:], type(data["nodes"][1]["start_time"]).__name__)
try:
    tracer.export_runtime_graph("poem")
except ValueError as error:
    print(error)
