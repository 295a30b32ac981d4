"""Control flags of an ExecutionContext."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph

context = ExecutionContext.create(TaskGraph())
context.terminate_workflow("enough")
print(context.terminate_called, context.cancel_called, context.goto_called, context.ctrl_message)
context.cancel_workflow("bad")
print(context.terminate_called, context.cancel_called, context.ctrl_message)
context.reset_control_flags()
print(context.terminate_called, context.cancel_called, context.goto_called, context.ctrl_message)
