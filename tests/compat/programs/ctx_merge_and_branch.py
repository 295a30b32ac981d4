"""create_branch_context and merge_results by themselves."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph

context = ExecutionContext.create(TaskGraph())
context.get_channel().set("x", 1)
branch = context.create_branch_context("left")
print(
    branch.session_id == context.session_id + "_left",
    branch.trace_id == context.trace_id,
    branch.parent_context is context,
)
print(branch.get_channel().get("x"), branch.steps, branch.get_channel() is context.get_channel())
branch.get_channel().set("y", 2)
branch.increment_step()
print(context.get_channel().get("y"))
context.merge_results(branch)
context.mark_branch_completed("left")
print(context.get_channel().get("y"), context.steps)
