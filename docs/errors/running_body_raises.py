"""A body raises.

The traceback of your own exception stands first; the last line names the task.
"""

from graflow_fast import task, workflow


def parse(text):
    return int(text)


with workflow("report") as wf:

    @task
    def load():
        return parse("12 apples")

    wf.execute()
