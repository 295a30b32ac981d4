"""A handler that nobody registered.

Register it with `WorkflowEngine.register_handler`, or use a built-in one.
"""

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(handler="proces")
    def load():
        return 1

    wf.execute()
