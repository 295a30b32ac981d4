"""A task runs by itself; a group and a chain do not, unless they were given a context."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError

with workflow("w") as wf:
    a, b, c, d = (task(name)(lambda name=name: print("runs", name) or name) for name in "abcd")
    group, chain = a | b, c >> d

    print(a(), b.run())
    for compose in (group, chain):
        for call in (compose, compose.run):
            try:
                print(call())
            except GraflowRuntimeError as error:
                print(error)
    context = ExecutionContext.create(wf.graph, "c")
    for compose in (group, chain):
        compose.set_execution_context(context)
        print(compose.run())
    print(d.get_execution_context() is context)
