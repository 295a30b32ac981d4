"""RetryPolicy() means no retries: the plain error comes out."""

from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(retry_policy=RetryPolicy())
    def a():
        raise ValueError("once")

    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error)
