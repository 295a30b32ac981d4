"""`max_steps` was reached.

A warning, for it is a limit you set yourself. `context.stop_reason` is `"max_steps"`.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:
    load, clean, save = (task(name)(lambda: 1) for name in ("load", "clean", "save"))
    load >> clean >> save
    wf.execute(max_steps=1)
