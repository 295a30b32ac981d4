"""A crash in native code.

The error shows the Python stack at the moment of the crash.
"""

import ctypes

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task
    def load():
        ctypes.string_at(0)

    wf.execute(executor="process")
