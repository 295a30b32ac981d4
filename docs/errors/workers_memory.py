"""A task that takes more memory than its `memory_limit`.

Its worker is stopped before the machine suffers.
"""

import time

from graflow_fast import task, workflow

with workflow("report") as wf:

    @task(memory_limit="120MB")
    def load():
        rows = bytearray(300_000_000)
        time.sleep(60)
        return len(rows)

    wf.execute()
