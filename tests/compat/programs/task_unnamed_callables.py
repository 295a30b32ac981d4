"""Callables without a name get ids of their own: two partials don't collide."""

import functools

from graflow.core.decorators import task
from graflow.core.workflow import workflow


def add(x, y):
    return x + y


class Callable:
    def __call__(self, x=4):
        return x * 2


with workflow("w") as wf:
    first = task(functools.partial(add, 1, 2))
    second = task(functools.partial(add, 3, 4))
    third = task(Callable())
    first >> second >> third
    print(len({first.task_id, second.task_id, third.task_id}), wf.execute(first.task_id))
