"""with_execution returns the group; called again without a policy, it goes back to strict."""

from graflow.coordination.coordinator import CoordinationBackend
from graflow.core.decorators import task
from graflow.core.workflow import workflow


def fail():
    raise ValueError("no")


with workflow("w") as wf:
    group = task("a")(lambda: 1) | task("b")(fail)
    configured = group.with_execution(
        backend=CoordinationBackend.THREADING, backend_config={"thread_count": 2}, policy="best_effort"
    )
    print(configured is group)
    print(wf.execute())
    group.with_execution()
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__)
print([b.value for b in (CoordinationBackend.DIRECT, CoordinationBackend.THREADING, CoordinationBackend.REDIS)])
