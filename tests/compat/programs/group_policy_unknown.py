"""A policy of an unknown name is refused when the group runs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b = (task(n)(lambda: None) for n in "ab")
with workflow("w") as wf:
    (a | b).with_execution(policy="sloppy")
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error)
