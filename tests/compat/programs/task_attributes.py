"""The options of @task can be read back from the task."""

from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy

policy = RetryPolicy(max_retries=4, initial_interval=0.5)


@task(max_cycles=5, max_retries=2, handler="special", resolve_keyword_args=False)
def one():
    pass


@task(retry_policy=policy, max_retries=9)
def two():
    pass


print(one.max_cycles, one.max_retries, one.handler_type, one.resolve_keyword_args, one.inject_context)
print(two.max_retries, two.retry_policy == policy, two.handler_type, two.resolve_keyword_args)
