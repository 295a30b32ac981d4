"""chain(*tasks) is >> of all of them; of one task a chain of one; of nothing an error."""

from graflow.core.decorators import task
from graflow.core.task import chain
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b, c = (task(n)(lambda: None) for n in "abc")
    print(chain(a, b, c), wf.graph.get_edges())
    print(chain(a), chain(a >> b))
    try:
        chain()
    except ValueError as error:
        print(error)
