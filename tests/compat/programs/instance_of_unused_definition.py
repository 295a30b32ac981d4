"""A definition of which instances were made is not a root.

differs: graflow counts the definition as a second root when both are made inside `with`.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:

    @task
    def load(path):
        return path

    @task
    def show(a="?"):
        return f"shown {a}"

    load(task_id="a", path="a.csv") >> show
    try:
        print(wf.execute())
    except GraphCompilationError as error:
        print("GraphCompilationError:", error)
