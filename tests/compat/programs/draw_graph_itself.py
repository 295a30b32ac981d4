"""visualize_dependencies takes a TaskGraph as well."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.utils.graph import visualize_dependencies

with workflow("w") as wf:
    a, b, c = (task(name)(lambda: 1) for name in "abc")
    a >> (b | c)
    visualize_dependencies(wf.graph)
