"""What the state file says of a task that waits; a checkpoint of which a file is missing is not resumed."""

import json
import os

from graflow.core.checkpoint import CheckpointManager
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.graph import TaskGraph

graph = TaskGraph()
graph.add_node(task("a")(lambda: 1), "a")
context = ExecutionContext.create(graph, "a")
for name in ("pkl", "state.json", "meta.json"):
    CheckpointManager.create_checkpoint(context, path="saved")
    with open("saved.state.json") as file:
        [waiting] = json.load(file)["pending_tasks"]
    waiting["created_at"] = type(waiting["created_at"]).__name__
    del waiting["max_retries"]  # graflow says 3, whatever the limit is
    print(sorted(waiting.items()))
    os.remove(f"saved.{name}")
    try:
        CheckpointManager.resume_from_checkpoint("saved.pkl")
    except FileNotFoundError as error:
        print(error)
