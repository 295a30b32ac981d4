"""The vocabulary of what can go wrong.

Owns every exception and warning that users can meet, and their wording. Must not know who raises them: nothing of
the scheduler, the pool or the workers is imported here.

All of them pickle and unpickle with their attributes and their ``__cause__``; see `exception_pickling`.
"""

from __future__ import annotations

from graflow_fast.exceptions._tasks import (
    JournalMismatchError,
    LostMutationError,
    LostMutationWarning,
    NotCachedWarning,
    RemoteTaskError,
    StepLimitExceededError,
    TaskMemoryError,
    TaskSerializationError,
    TaskTimeoutError,
    WorkerCrashedError,
)
from graflow_fast.exceptions._workflows import (
    ConfigError,
    CycleLimitExceededError,
    DeadlineExceededError,
    DuplicateTaskError,
    EnvironmentMismatchError,
    GraflowError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    GraphCompilationError,
    ParallelGroupError,
    RetryLimitExceededError,
    TaskError,
    UnknownOptionError,
    as_runtime_error,
)

__all__ = [
    "ConfigError",
    "CycleLimitExceededError",
    "DeadlineExceededError",
    "DuplicateTaskError",
    "EnvironmentMismatchError",
    "GraflowError",
    "GraflowRuntimeError",
    "GraflowWorkflowCanceledError",
    "GraphCompilationError",
    "JournalMismatchError",
    "LostMutationError",
    "LostMutationWarning",
    "NotCachedWarning",
    "ParallelGroupError",
    "RemoteTaskError",
    "RetryLimitExceededError",
    "StepLimitExceededError",
    "TaskError",
    "TaskMemoryError",
    "TaskSerializationError",
    "TaskTimeoutError",
    "UnknownOptionError",
    "WorkerCrashedError",
    "as_runtime_error",
]

# Each is of this module, wherever it stands: so pickles and tracebacks name what programs import.
for _name in __all__:
    globals()[_name].__module__ = __name__
