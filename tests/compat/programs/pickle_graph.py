"""A graph pickles with cloudpickle, and the copy runs."""

import cloudpickle
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b = task("a")(lambda: 20), task("b")(lambda a: a + 1)
    a >> b
copy = cloudpickle.loads(cloudpickle.dumps(wf.graph))
print(list(copy.nodes), copy.get_edges(), ExecutionContext.create(copy, "a").execute())
