"""A policy that does not exist.

Choose one of those named, or pass an object.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:
    users, orders = (task(name)(lambda: 1) for name in ("users", "orders"))
    (users | orders).with_execution(policy="best_efort")
    wf.execute()
