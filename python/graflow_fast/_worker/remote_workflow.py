"""The workflow around a running task, as a body in a worker sees it. Knows nothing of how the coordinator answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from graflow_fast.core import registry
from graflow_fast.core.workflow import WorkflowContext


class RemoteWorkflow(WorkflowContext):
    """The workflow that is current where the run was started: its name, and the graph of the run.

    Args:
        name: its name.
        graph: the run's graph as the body sees it.
        ask: asks the coordinator a question and returns its answer.
    """

    def __init__(self, name: str, graph: Any, ask: Callable[..., Any]) -> None:
        super().__init__(name)
        self.graph = graph
        self._ask = ask

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Run a copy of the workflow, in this process; see `WorkflowContext.execute`."""
        copy = pickle.loads(self._ask("workflow_copy"))
        token = registry.current_workflow.set(copy)
        try:
            return copy.execute(*arguments, **options)
        finally:
            registry.current_workflow.reset(token)
