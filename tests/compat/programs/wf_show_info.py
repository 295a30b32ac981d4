"""show_info and visualize_dependencies."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("demo") as wf:
    a, b, c = (task(n)(lambda: None) for n in "abc")
    a >> b
    a >> c
    wf.show_info()
    wf.visualize_dependencies()
    c >> a
    task("alone")(lambda: None)
    wf.visualize_dependencies()
