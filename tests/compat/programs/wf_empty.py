"""An empty workflow in a module without any unused task: GraphCompilationError."""

from graflow.core.workflow import workflow
from graflow.exceptions import GraphCompilationError

with workflow("w") as wf:
    try:
        wf.execute()
    except GraphCompilationError as error:
        print(type(error).__name__)
