"""default_max_retries and default_max_cycles of the context hold for tasks that say nothing."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper


def body(ctx):
    if ctx.retry_count < 2:
        raise ValueError("again")
    return ctx.retry_count, ctx.max_retries, ctx.max_cycles, ctx.cycle_count


graph = TaskGraph()
graph.add_node(TaskWrapper("a", body, inject_context=True, register_to_context=False))
context = ExecutionContext.create(graph, "a", default_max_retries=3, default_max_cycles=7)
print(context.execute(), context.retry_controller.retry_counts, context.cycle_controller.cycle_counts)
