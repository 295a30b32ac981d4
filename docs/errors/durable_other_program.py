"""A durable run goes on with another program.

Tasks may be edited and added, but what the run has done must still be there. Put it back, or begin a new run under
another `run=` name.
"""

from graflow_fast import task, workflow


def load():
    return 1


def report():
    raise ValueError("no printer")


with workflow("first") as first:
    task(load) >> task(report)
    try:
        first.execute(durable="runs.db", run="monday")
    except Exception as error:
        print(f"first try: {error}")

with workflow("first") as second:
    task(id="read")(load) >> task(report)
    second.resume(durable="runs.db", run="monday")
