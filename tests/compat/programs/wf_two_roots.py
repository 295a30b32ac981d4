"""Two roots and no start node: GraphCompilationError.

differs: graflow's message does not say which; ours names them.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:
    first, second, c = (task(n)(lambda: None) for n in ("first", "second", "c"))
    first >> c
    second >> c
    try:
        wf.execute()
    except GraphCompilationError as error:
        print("GraphCompilationError", "first" in str(error), "second" in str(error))
