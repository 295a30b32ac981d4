"""Redis as a group's backend.

Worker processes on this machine do the same.
"""

from graflow_fast import task, workflow
from graflow_fast.coordination.coordinator import CoordinationBackend

with workflow("report") as wf:
    users, orders = (task(name)(lambda: 1) for name in ("users", "orders"))
    (users | orders).with_execution(backend=CoordinationBackend.REDIS)
    wf.execute()
