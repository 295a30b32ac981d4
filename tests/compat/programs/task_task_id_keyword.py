"""@task(task_id=...) names the task.

differs: the documentation uses this spelling; graflow raises TypeError for it.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

try:
    with workflow("w") as wf:

        @task(task_id="named")
        def hello():
            return 1

        print(hello.task_id, wf.execute())
except TypeError as error:
    print("TypeError:", error)
