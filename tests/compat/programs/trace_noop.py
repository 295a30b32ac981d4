"""NoopTracer keeps the runtime graph and the order of execution."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

tracer = NoopTracer()
with workflow("w", tracer=tracer) as wf:
    a, b, c = (task(n)(lambda n=n: n) for n in "abc")
    a >> b >> c
    _, ctx = wf.execute(ret_context=True)
print(tracer.get_execution_order()[1:], tracer.get_current_span_id())
graph = tracer.get_runtime_graph()
print(list(graph.nodes)[1:], list(graph.edges))
print(
    [
        (graph.nodes[n]["status"], graph.nodes[n]["metadata"]["task_type"], graph.nodes[n]["metadata"]["handler_type"])
        for n in "abc"
    ]
)
print(sorted(graph.nodes["a"]), sorted(graph.nodes["a"]["metadata"]))
root = next(iter(graph.nodes))
print(root == f"workflow_{ctx.session_id[:8]}", graph.nodes[root]["status"], sorted(graph.nodes[root]["metadata"]))
