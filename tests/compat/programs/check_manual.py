"""CheckpointManager.create_checkpoint by hand, metadata class."""

import os

from graflow.core.checkpoint import CheckpointManager, CheckpointMetadata
from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
for name in "ab":
    graph.add_node(TaskWrapper(name, lambda n=name: n, register_to_context=False))
graph.add_edge("a", "b")
context = ExecutionContext.create(graph, "a")
path, metadata = CheckpointManager.create_checkpoint(context, path=os.path.join("sub", "point.pkl"), metadata={"v": 1})
print(path, sorted(os.listdir("sub")), metadata.user_metadata, metadata.steps, metadata.backend)
restored, again = CheckpointManager.resume_from_checkpoint(path)
print(
    again == metadata,
    CheckpointMetadata.from_dict(metadata.to_dict()) == metadata,
    restored.execute(),
    restored.completed_tasks,
)
print(context.execute(), context.last_checkpoint_path, context.get_checkpoint_state()["steps"])
for wrong in ("redis://x", "s3://x"):
    try:
        CheckpointManager.create_checkpoint(context, path=wrong)
    except Exception as error:
        print(isinstance(error, Exception))
