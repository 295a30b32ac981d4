"""More than one start.

Name one, or start all with `schedule="parallel"`.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:
    users, orders, join = (task(name)(lambda: 1) for name in ("users", "orders", "join"))
    users >> join
    orders >> join
    wf.execute()
