"""min_success beyond the number of members is a ValueError, wrapped as any task's error."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import AtLeastNGroupPolicy
from graflow.core.workflow import workflow

a, b = (task(n)(lambda: None) for n in "ab")
with workflow("w") as wf:
    (a | b).with_execution(policy=AtLeastNGroupPolicy(min_success=3))
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error)
        print(type(error.cause).__name__, error.cause)
try:
    AtLeastNGroupPolicy(min_success=-1)
except ValueError as error:
    print(error)
