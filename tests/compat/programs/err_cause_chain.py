"""The task's own exception is also the __cause__.

differs: graflow sets .cause only; __cause__ is None.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def a():
        raise ValueError("broken")

    try:
        wf.execute()
    except Exception as error:
        print(repr(error.__cause__))
