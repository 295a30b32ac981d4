"""What a new context looks like."""

from graflow.core.context import ExecutionContext, create_execution_context
from graflow.core.graph import TaskGraph

context = ExecutionContext.create(TaskGraph())
print(context.start_node, context.steps, context.completed_tasks, context.default_max_retries)
print(context.cycle_controller.default_max_cycles, context.retry_controller.default_max_retries)
print(context.checkpoint_metadata, context.last_checkpoint_path, context.current_task_id, context.current_task_context)
print(context.terminate_called, context.cancel_called, context.is_completed())
print(len(context.session_id), context.session_id == context.trace_id, context.channel.name == context.session_id)
small = create_execution_context("begin", max_steps=3)
print(small.start_node, small.max_steps, list(small.graph.nodes), small.graph.get_node("begin"), small.is_completed())
print(small.execute(), small.completed_tasks, small.steps)
