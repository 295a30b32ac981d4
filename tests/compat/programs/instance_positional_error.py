"""Positional arguments cannot make an instance."""

from graflow.core.decorators import task


@task
def load(path):
    return path


for arguments, keywords in (((1,), {}), ((1,), {"task_id": "x"})):
    try:
        load(*arguments, **keywords)
    except TypeError as error:
        print("TypeError", "positional" in str(error))
