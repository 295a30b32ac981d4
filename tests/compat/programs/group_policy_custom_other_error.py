"""What a policy raises otherwise comes out as a GraflowRuntimeError with the cause."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import GroupExecutionPolicy
from graflow.core.workflow import workflow


class Fussy(GroupExecutionPolicy):
    def on_group_finished(self, group_id, tasks, results, context):
        raise RuntimeError("fussy")


a, b = (task(n)(lambda: None) for n in "ab")
with workflow("w") as wf:
    (a | b).with_execution(policy=Fussy())
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error, type(error.cause).__name__)
