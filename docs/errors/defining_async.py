"""An async generator as a task.

Return a list. A map is for results that are to go on one by one.
"""

from graflow_fast import task


@task
async def fetch():
    yield 1
