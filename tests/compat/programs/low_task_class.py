"""Task is a node that does nothing."""

from graflow.core.task import Task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    root, end = Task("root"), Task("end")
    print(root, root.task_id, root.run(), root())
    root >> end
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.get_channel().keys())
