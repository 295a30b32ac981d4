"""backend=DIRECT runs the members one after the other, in order."""

from graflow.coordination.coordinator import CoordinationBackend
from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    def body():
        print("running", name)
        return name

    return task(name)(body)


@task
def e(a, b, c):
    return a + b + c


with workflow("w") as wf:
    (make("a") | make("b") | make("c")).with_execution(backend=CoordinationBackend.DIRECT) >> e
    print(wf.execute(start_node="ParallelGroup_1"))
