"""A limit that is no limit.

`memory_limit` takes bytes or a text with a unit; `timeout` takes seconds.
"""

from graflow_fast import task


@task(memory_limit="lots")
def load():
    return 1
