"""Arguments of run() win over bound parameters, channel and default."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.graph import TaskGraph


@task
def show(x="default"):
    return x


bound = show(task_id="bound", x="bound")
graph = TaskGraph()
graph.add_node(bound, "bound")
context = ExecutionContext.create(graph, "bound")
context.get_channel().set("x", "channel")
bound.set_execution_context(context)
print(bound.run(), bound.run(x="call"))
