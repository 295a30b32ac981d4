"""At least n members must succeed."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import AtLeastNGroupPolicy
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError


def make(name, fails):
    def body():
        if fails:
            raise ValueError(f"{name} failed")
        return name

    return task(name)(body)


for least in (1, 2, 3):
    with workflow("w") as wf:
        group = make("a", False) | make("b", True) | make("c", False)
        group.with_execution(policy=AtLeastNGroupPolicy(min_success=least))
        try:
            print(least, wf.execute())
        except ParallelGroupError as error:
            print(least, error, error.failed_tasks, error.successful_tasks)
