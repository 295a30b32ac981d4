"""Retries used up: RetryLimitExceededError with the counts and the last error."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError, RetryLimitExceededError

with workflow("w") as wf:

    @task(inject_context=True, max_retries=2)
    def a(ctx):
        print("try", ctx.retry_count)
        raise ValueError(f"try {ctx.retry_count}")

    try:
        wf.execute()
    except RetryLimitExceededError as error:
        print(error, error.args)
        print(error.task_id, error.retry_count, error.max_retries, repr(error.last_error), repr(error.cause))
        print(isinstance(error, GraflowRuntimeError))
