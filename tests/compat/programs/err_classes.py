"""The exceptions: parents, attributes, str, repr of args."""

from graflow.exceptions import (
    ConfigError,
    CycleLimitExceededError,
    DuplicateTaskError,
    GraflowError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    GraphCompilationError,
    ParallelGroupError,
    RetryLimitExceededError,
    TaskError,
    as_runtime_error,
)

cause = ValueError("why")
for error in (
    GraflowError("m"),
    GraflowError("m", cause),
    GraflowRuntimeError("m", cause),
    CycleLimitExceededError("t", 3, 3),
    RetryLimitExceededError("t", 3, 2, cause),
    TaskError("t", "m", cause),
    GraphCompilationError("m"),
    DuplicateTaskError("t"),
    ConfigError("m", cause),
    ParallelGroupError("m", "g", [("a", "x")], ["b"]),
):
    print(
        type(error).__name__,
        "|",
        error,
        "|",
        error.args,
        "|",
        error.cause,
        "|",
        [c.__name__ for c in type(error).__mro__[1:-3]],
    )
retry = RetryLimitExceededError("t", 3, 2, cause)
print(retry.task_id, retry.retry_count, retry.max_retries, retry.last_error)
cancel = GraflowWorkflowCanceledError("m", task_id="t")
print(cancel.task_id, cancel.args)
print(as_runtime_error(retry) is retry, as_runtime_error(cause), TaskError("t", "m").task_id)
