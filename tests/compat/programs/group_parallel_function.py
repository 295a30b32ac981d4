"""parallel(*tasks) is | of all of them; of fewer than two an error."""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow

a, b, c, d = (task(n)(lambda: None) for n in "abcd")
with workflow("w") as wf:
    print(parallel(a, b, c), wf.graph.get_edges())
    print(parallel(a >> b, c >> d), wf.graph.get_edges())
    for wrong in ((), (a,)):
        try:
            parallel(*wrong)
        except ValueError as error:
            print(error)
