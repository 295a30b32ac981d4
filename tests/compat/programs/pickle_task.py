"""Tasks pickle with cloudpickle: id, options, bound parameters and body survive."""

import cloudpickle
from graflow.core.decorators import task
from graflow.core.retry import RetryPolicy

factor = 3


@task("scaled", inject_context=False, max_cycles=4, retry_policy=RetryPolicy(max_retries=2))
def scale(x, y=1):
    """Scale."""
    return x * y * factor


bound = scale(task_id="bound", x=5)
for original in (scale, bound):
    copy = cloudpickle.loads(cloudpickle.dumps(original))
    print(
        copy.task_id,
        copy.run(y=2, **({} if original is bound else {"x": 1})),
        copy.max_cycles,
        copy.max_retries,
        copy.retry_policy.max_retries,
    )
    print(repr(copy), copy.__name__, copy.__doc__)
