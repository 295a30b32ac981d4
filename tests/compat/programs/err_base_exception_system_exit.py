"""SystemExit of a body is no task error: it leaves execute().

executors: auto inline (in a worker or thread the body can't end the caller)
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def a():
        raise SystemExit(3)

    try:
        wf.execute()
    except SystemExit as error:
        print("SystemExit", error.code)
