"""A failing task's span says so; the workflow's end hook does not come."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer


def fail():
    raise ValueError("broken")


tracer = NoopTracer()
with workflow("w", tracer=tracer) as wf:
    a, b = task("a")(lambda: 1), task("b")(fail)
    a >> b
    try:
        wf.execute()
    except Exception as error:
        print(error)
graph = tracer.get_runtime_graph()
print([graph.nodes[n]["status"] for n in graph.nodes])
print({k: v for k, v in graph.nodes["b"]["metadata"].items() if k.startswith("error")})
