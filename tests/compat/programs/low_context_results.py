"""set_result and get_result use `<task>.__result__` in the channel."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph

context = ExecutionContext.create(TaskGraph())
context.set_result("a", [1])
print(context.get_result("a"), context.get_result("b"), context.get_result("b", 5))
print(context.get_channel().keys(), context.get_channel() is context.channel)
context.increment_step()
context.mark_task_completed("a")
context.mark_task_completed("a")
print(context.steps, context.completed_tasks)
