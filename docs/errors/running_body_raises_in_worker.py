"""A body raises in a worker process.

The worker's traceback comes along.
"""

from graflow_fast import task, workflow


def parse(text):
    return int(text)


with workflow("report") as wf:

    @task
    def load():
        return parse("12 apples")

    wf.execute(executor="process")
