"""All exceptions pickle and unpickle.

differs: those of graflow whose constructor takes more than the message do not unpickle.
"""

import pickle

from graflow import exceptions as e

cause = ValueError("why")
for error in (
    e.GraflowError("m", cause),
    e.CycleLimitExceededError("t", 3, 3),
    e.RetryLimitExceededError("t", 3, 2, cause),
    e.TaskError("t", "m", cause),
    e.DuplicateTaskError("t"),
    e.ParallelGroupError("m", "g", [("a", "x")], ["b"]),
    e.GraflowWorkflowCanceledError("m", task_id="t"),
):
    try:
        copy = pickle.loads(pickle.dumps(error))
        print(
            type(error).__name__,
            type(copy) is type(error),
            str(copy) == str(error),
            copy.__dict__.keys() == error.__dict__.keys(),
        )
    except TypeError:
        print(type(error).__name__, "TypeError")
