"""The workflow around a running task, as a body in a worker sees it. Knows nothing of how the coordinator answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast.core import registry
from graflow_fast.core.workflow import WorkflowContext

if TYPE_CHECKING:
    from graflow_fast.core.workflow_run import WorkflowRun


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
        return self._in_copy("execute", arguments, options)

    def _start(self, *arguments: Any, **options: Any) -> WorkflowRun:
        """Begin to run a copy of the workflow, in this process."""
        started: WorkflowRun = self._in_copy("_start", arguments, options)
        return started

    def _in_copy(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        copy = pickle.loads(self._ask("workflow_copy"))
        token = registry.current_workflow.set(copy)
        try:
            return getattr(copy, method)(*arguments, **options)
        finally:
            registry.current_workflow.reset(token)
