"""An async function as a task.

Run the event loop inside the body.
"""

from graflow_fast import task


@task
async def fetch():
    return 1
