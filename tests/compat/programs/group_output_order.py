"""What members print comes out in member order."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def make(name):
    def body():
        print(name, 1)
        print(name, 2)

    return task(name)(body)


with workflow("w") as wf:
    make("a") | make("b") | make("c")
    wf.execute()
