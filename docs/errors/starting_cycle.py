"""No start: every task follows another one.

Say where the loop is entered.
"""

from graflow_fast import task, workflow

with workflow("agent") as wf:
    think, act = (task(name)(lambda: 1) for name in ("think", "act"))
    think >> act >> think
    wf.execute()
