"""An instance has the options of the task it was made from."""

from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy


@task(inject_context=True, max_cycles=3, retry_policy=RetryPolicy(max_retries=2), handler="direct")
def work(ctx, x):
    return x


one = work(task_id="one", x=1)
print(one.inject_context, one.max_cycles, one.max_retries, one.retry_policy.max_retries, one.handler_type)
print(type(one) is type(work))
