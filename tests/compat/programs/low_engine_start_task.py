"""execute(context, start_task_id=...) starts there; the context's own start node is still in its queue and follows."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper


def make(name):
    def body():
        print(name)
        return name

    return TaskWrapper(name, body, register_to_context=False)


for start in ("a", None):
    graph = TaskGraph()
    for name in "abc":
        graph.add_node(make(name), name)
    graph.add_edge("b", "c")
    context = ExecutionContext(graph, start)
    print(WorkflowEngine().execute(context, start_task_id="b"), context.completed_tasks)
