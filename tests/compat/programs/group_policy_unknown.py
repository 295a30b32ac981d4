"""A policy of an unknown name is refused.

differs: graflow refuses it when the group runs, here it is refused when the group is made.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b = (task(n)(lambda: None) for n in "ab")
with workflow("w") as wf:
    try:
        (a | b).with_execution(policy="sloppy")
        wf.execute()
    except Exception as error:
        print(type(error).__name__, "sloppy" in str(error), "best_effort" in str(error))
