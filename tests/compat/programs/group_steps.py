"""Steps count the group and what its successful branches ran."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def fail():
    raise ValueError("no")


def make(name):
    return task(name)(lambda: None)


with workflow("w") as wf:
    s, e = make("s"), make("e")
    s >> ((make("a") >> make("a2")) | make("b") | task("c")(fail)).with_execution(policy="best_effort") >> e
    _, ctx = wf.execute(start_node="s", ret_context=True)
    print(ctx.steps, ctx.completed_tasks)
