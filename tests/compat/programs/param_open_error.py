"""A parameter that nothing fills is an error that names task and parameter.

differs: graflow's message is that of the failed Python call, which does not name the task's id.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError

with workflow("w") as wf:

    @task("the_task")
    def show(missing_one):
        return missing_one

    try:
        wf.execute()
    except GraflowRuntimeError as error:
        print("the_task" in str(error), "missing_one" in str(error))
