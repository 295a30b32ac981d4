"""Over max_cycles: CycleLimitExceededError that names the base task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import CycleLimitExceededError

for limit in (None, 3, 1):
    with workflow("w") as wf:

        @task(inject_context=True, max_cycles=limit)
        def loop(ctx):
            ctx.next_iteration()

        try:
            wf.execute()
        except CycleLimitExceededError as error:
            print(error, error.task_id, error.cycle_count, error.max_cycles, error.args)
