"""TaskHandler, GroupExecutionPolicy, Tracer, Channel and Executable can't be instantiated; TaskResult is plain data."""

from graflow.channels.base import Channel
from graflow.core.handler import TaskHandler, TaskResult
from graflow.core.handlers.group_policy import GroupExecutionPolicy
from graflow.core.task import Executable
from graflow.trace.base import Tracer

for cls in (TaskHandler, GroupExecutionPolicy, Tracer, Channel, Executable):
    try:
        cls("x") if cls is Channel else cls()
    except TypeError as error:
        print(cls.__name__, "abstract" in str(error))
print(TaskResult("a", True))
print(TaskResult(task_id="a", success=False, error_message="no") == TaskResult("a", False, None, "no"))
