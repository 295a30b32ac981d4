"""An engine whose package is not installed.

Install the extra that is named.
"""

import sys

from graflow_fast import task, workflow

sys.modules["distributed"] = None  # as if it were not installed

with workflow("report") as wf:

    @task
    def load():
        return 1

    wf.execute(executor="dask")
