"""What is no task is refused by a TypeError that says what it takes.

differs: graflow says `'int' object has no attribute '_ensure_registered'`, and takes `task(5)` for a decorator.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a = task("a")(lambda: 1)
    for call in (lambda: a >> 5, lambda: a << "b", lambda: a | None, lambda: task(5)):
        try:
            print(type(call()).__name__)
        except Exception as error:
            print(type(error).__name__, error)

    @task(inject_context=True)
    def asks(ctx):
        for thing in (5, "a"):
            try:
                ctx.next_task(thing)
            except Exception as error:
                print(type(error).__name__, error)

    wf.execute("asks")
