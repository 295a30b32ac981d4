"""An error stops the run: what follows does not run, what is queued neither."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def fail():
    raise ValueError("no")


with workflow("w") as wf:
    s, a, b, c = (
        task("s")(lambda: print("s")),
        task("a")(fail),
        task("b")(lambda: print("b")),
        task("c")(lambda: print("c")),
    )
    s >> a >> b
    s >> c
    try:
        wf.execute()
    except Exception as error:
        print(error)
