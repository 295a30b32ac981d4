"""Positional arguments for an instance.

Calling a task makes an instance of it, with its parameters bound by name. `load.run("a.csv")` calls the body itself.
"""

from graflow_fast import task


@task
def load(path):
    return path


load("a.csv")
