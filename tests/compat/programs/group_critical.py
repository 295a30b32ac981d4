"""Only the critical members must succeed."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import CriticalGroupPolicy
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError


def make(name, fails):
    def body():
        if fails:
            raise ValueError(f"{name} failed")
        return name

    return task(name)(body)


for critical in (["a"], ["b"], ["a", "b"]):
    with workflow("w") as wf:
        group = make("a", False) | make("b", True) | make("c", True)
        group.with_execution(policy=CriticalGroupPolicy(critical_task_ids=critical))
        try:
            print(critical, wf.execute())
        except ParallelGroupError as error:
            print(critical, error, error.failed_tasks, error.successful_tasks)
