"""t.run() lets the body's own exception out, as it is."""

from graflow.core.decorators import task


@task
def broken(x):
    raise KeyError(x)


try:
    broken.run(x="gone")
except KeyError as error:
    print(type(error).__name__, error)
try:
    broken.run()
except TypeError as error:
    print(type(error).__name__, "x" in str(error))
