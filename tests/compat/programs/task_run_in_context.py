"""Calling a task that was given a context counts as its start, with its limits."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.graph import TaskGraph

graph = TaskGraph()


@task(inject_context=True, max_cycles=2)
def count(ctx, data=None):
    print(ctx.cycle_count, ctx.max_cycles, ctx.can_iterate(), ctx.execution_context.current_task_id, data)
    ctx.get_channel().append("seen", ctx.task_id)
    return ctx.cycle_count


graph.add_node(count, "count")
context = ExecutionContext.create(graph, max_steps=10)
count.set_execution_context(context)
print(count(), count.run(data=5), context.channel.get("seen"))
print(context.current_task_id, context.completed_tasks, context.get_result("count"))
print(context.cycle_controller.get_cycle_count("count"))
