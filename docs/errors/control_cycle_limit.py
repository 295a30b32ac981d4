"""More iterations than `max_cycles` allows.

Ten by default. Raise it with `@task(max_cycles=...)`, or ask `ctx.can_iterate()` first.
"""

from graflow_fast import task, workflow

with workflow("train") as wf:

    @task(inject_context=True, max_cycles=3)
    def optimize(ctx):
        ctx.next_iteration()

    wf.execute()
