"""A critical id that is no member, or none at all, is a ValueError."""

from graflow.core.decorators import task
from graflow.core.handlers.group_policy import CriticalGroupPolicy
from graflow.core.workflow import workflow

a, b = (task(n)(lambda: None) for n in "ab")
with workflow("w") as wf:
    (a | b).with_execution(policy=CriticalGroupPolicy(["z"]))
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error)
try:
    CriticalGroupPolicy([])
except ValueError as error:
    print(error)
print(CriticalGroupPolicy(["b", "a"]).critical_task_ids)
