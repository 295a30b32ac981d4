"""A loop that never ends.

One task runs at most 10 000 times in a run, so that a loop without an exit is an error and not a program that hangs.
"""

from graflow_fast import task, workflow

with workflow("agent") as wf:
    think, act = (task(name)(lambda: 1) for name in ("think", "act"))
    think >> act >> think
    wf.execute("think")
