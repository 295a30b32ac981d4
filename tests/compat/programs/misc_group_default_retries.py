"""default_max_retries holds for a group too: it runs again as a whole."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.handlers.group_policy import GroupExecutionPolicy
from graflow.core.workflow import workflow


class SecondTime(GroupExecutionPolicy):
    def on_group_finished(self, group_id, tasks, results, context):
        if context.get_channel().atomic_add("finished") < 2:
            raise ValueError("not yet")


a, b = task("a")(lambda: 1), task("b")(lambda: 2)
with workflow("w") as wf:
    (a | b).set_group_name("g").with_execution(policy=SecondTime())
context = ExecutionContext.create(wf.graph, "g", default_max_retries=2)
print(
    context.execute(),
    context.completed_tasks,
    context.steps,
    context.retry_controller.retry_counts,
    context.get_channel().get("finished"),
)
