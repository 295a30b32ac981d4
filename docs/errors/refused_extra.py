"""A drawing whose library is not installed.

Install the extra that is named.
"""

import sys

from graflow_fast import task, workflow

sys.modules["networkx"] = None  # as if it were not installed

with workflow("report") as wf:
    load, save = (task(name)(lambda: 1) for name in ("load", "save"))
    load >> save
    wf.graph.nx_graph()
