"""next_iteration without a running task is a ValueError."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph

context = ExecutionContext.create(TaskGraph())
for call in (lambda: context.next_iteration(), lambda: context.next_iteration(task_id="ghost")):
    try:
        call()
    except ValueError as error:
        print(type(error).__name__)
