"""A SequentialTask of nothing is an error; something that is not a task can't be combined."""

from graflow.core.decorators import task
from graflow.core.task import SequentialTask

try:
    SequentialTask([])
except ValueError as error:
    print(error)


@task
def a():
    pass


for wrong in (5, "x"):
    try:
        a | wrong
    except TypeError as error:
        print("TypeError", type(wrong).__name__ in str(error))
