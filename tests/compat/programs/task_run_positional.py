"""t.run() takes positional arguments too."""

from graflow.core.decorators import task


@task
def add(a, b):
    return a + b


@task(inject_context=True)
def scale(ctx, a, b=3):
    return a * b


print(add.run(1, 2), add.run(1, b=5))
print(scale.run(4), scale.run(4, 5))
