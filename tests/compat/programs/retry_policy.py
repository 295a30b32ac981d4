"""RetryPolicy: delays, cap; a task's policy gives the number of retries."""

import time

from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy
from graflow.core.workflow import workflow

policy = RetryPolicy(max_retries=5, initial_interval=1.0, backoff_factor=3.0, max_interval=20.0)
print([policy.get_delay(i) for i in range(5)], policy)
jittered = RetryPolicy(initial_interval=2.0, backoff_factor=1.0, jitter=True)
print(
    all(1.0 <= jittered.get_delay(i) <= 3.0 for i in range(50)), RetryPolicy() == RetryPolicy(0, 1.0, 2.0, 60.0, False)
)
with workflow("w") as wf:

    @task(inject_context=True, retry_policy=RetryPolicy(max_retries=2, initial_interval=0.1, backoff_factor=2.0))
    def a(ctx):
        if ctx.retry_count < 2:
            raise ValueError("again")
        return ctx.retry_count, ctx.max_retries

    begin = time.monotonic()
    print(wf.execute(), time.monotonic() - begin >= 0.3)
