"""t.run(**kwargs) and t() call the body outside of any workflow."""

from graflow.core.decorators import task


@task
def add(a=1, b=2):
    return a + b


@task(inject_context=True)
def who(ctx, suffix="!"):
    return ctx.task_id + suffix


print(add.run(), add.run(a=10), add.run(a=10, b=20), add())
print(who.run(), who.run(suffix="?"))
print(add.run(a=3))
