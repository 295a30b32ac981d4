"""An option of `@task` that has another name here.

The hint says which one.
"""

from graflow_fast import task


@task(retries=3)
def fetch():
    return 1
