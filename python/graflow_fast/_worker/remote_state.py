"""What a body in a worker can ask of its run beyond channel and graph: how far it is, its limits, its checkpoints.

The coordinator has it, so it is asked for as a whole when the first of it is used. Knows nothing of how it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graflow_fast.core._waiting import WaitingTasks
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.cycle import CycleController
from graflow_fast.core.noop_tracer import NoopTracer
from graflow_fast.exceptions import GraflowRuntimeError

#: Attributes of an `ExecutionContext` that the coordinator is asked for.
ASKED = (
    "start_node",
    "max_steps",
    "default_max_retries",
    "completed_tasks",
    "stop_reason",
    "ctrl_message",
    "checkpoint_metadata",
    "last_checkpoint_path",
    "pending",
    "_original_config",
    "_channel_backend_type",
    "_steps",
)


class RemoteCycles(CycleController):
    """The cycle count of the running task; those of others are asked for."""

    def __init__(self, default_max_cycles: int, ask: Callable[..., Any]) -> None:
        super().__init__(default_max_cycles)
        self._ask = ask

    def get_cycle_count(self, node_id: str) -> int:
        """Return how often a task has started in this run or branch."""
        count = self.cycle_counts.get(node_id)
        return int(self._ask("cycle_count", node_id)) if count is None else count


class RemoteState(ExecutionContext):
    """The part of a worker's context that answers from the coordinator's."""

    #: Nothing counts steps here: the coordinator does.
    _run_steps = None
    _run = None
    _completed_names = None
    _step_counts = None
    parent_context = None
    checkpoint_requested = False

    def ask(self, *question: Any) -> Any:
        """Ask the coordinator and wait for the answer."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name not in ASKED:
            if name == "_control_called":
                made: set[str] = set()
                self.__dict__[name] = made
                return made
            raise AttributeError(f"the context of a task in a worker process has no attribute {name!r}")
        state: dict[str, Any] = self.ask("state")
        state["pending"] = WaitingTasks(state["pending"])
        for key, value in state.items():
            self.__dict__.setdefault(key, value)
        return self.__dict__[name]

    @property
    def tracer(self) -> Any:  # type: ignore[override]
        """A tracer that does nothing if the run has none; one that listens lives in the other process.

        Raises:
            GraflowRuntimeError: the run has a tracer of its own.
        """
        if not self.ask("untraced"):
            raise GraflowRuntimeError(
                f"Task '{self.current_task_id}' runs in a worker process, where its run's tracer can't be called. Keep "
                'the task in the calling process with @task(handler="direct")'
            )
        return NoopTracer()

    @property
    def current_task_id(self) -> str | None:
        """The id of the running task."""
        return None if self.current_task_context is None else self.current_task_context.task_id

    def mark_task_completed(self, task_id: str) -> None:
        """Add a task to `completed_tasks`, unless it is there."""
        self.ask("mark_completed", task_id)
        if task_id not in self.completed_tasks:
            self.completed_tasks.append(task_id)

    def increment_step(self) -> None:
        """Count one more completed task."""
        self.ask("increment_step")
        self._steps += 1

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits, was skipped or retried."""
        sentence: str = self.ask("explain", task_id)
        return sentence
