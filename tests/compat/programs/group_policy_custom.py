"""A custom policy class, also a local one, gets the members and their results and decides."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import GroupExecutionPolicy
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError


def run(allowed):
    class AtMost(GroupExecutionPolicy):
        def on_group_finished(self, group_id, tasks, results, context):
            failed = [t for t in results if not results[t].success]
            print(group_id, [t.task_id for t in tasks], sorted(results), sorted(failed))
            print([results[t].error_message for t in sorted(failed)], type(context).__name__, context.get_result("a"))
            if len(failed) > allowed:
                raise ParallelGroupError("too many", group_id=group_id, failed_tasks=[], successful_tasks=[])

    def bad():
        raise ValueError("bad")

    with workflow("w") as wf:
        group = task("a")(lambda: "A") | task("b")(bad)
        group.with_execution(policy=AtMost())
        try:
            print(wf.execute(), AtMost().get_name())
        except ParallelGroupError as error:
            print(error)


run(1)
run(0)
