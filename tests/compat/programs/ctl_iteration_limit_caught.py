"""A body may catch CycleLimitExceededError and end normally."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import CycleLimitExceededError

with workflow("w") as wf:

    @task(inject_context=True, max_cycles=2)
    def loop(ctx):
        try:
            ctx.next_iteration()
        except CycleLimitExceededError as error:
            return f"stopped at {error.cycle_count}"
        return "more"

    print(wf.execute())
