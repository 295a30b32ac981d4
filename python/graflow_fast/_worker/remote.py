"""What a worker knows of the run: the execution context of one body, whose parts are made when they are first used.

Knows nothing of how the coordinator answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast._body.scope import BranchChannel
from graflow_fast._wire.effects import pack_log
from graflow_fast._worker.remote_channel import Part, RemoteChannel, RemoteLive, ask, making
from graflow_fast._worker.remote_graph import RemoteGraph
from graflow_fast._worker.remote_state import RemoteCycles, RemoteState
from graflow_fast.core.context import seed_of
from graflow_fast.core.cycle import CycleController
from graflow_fast.core.retry_counts import RetryController

if TYPE_CHECKING:
    from graflow_fast._core import WorkerLink
    from graflow_fast._worker.view import View
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.services import Services
    from graflow_fast.core.task_context import TaskExecutionContext


class WorkerContext(RemoteState):
    """The execution context of one body in a worker."""

    current_task_context: TaskExecutionContext | None = None
    _graph: RemoteGraph | None = None
    _workflow: Any = None
    _cycles: CycleController | None = None
    _retries: RetryController | None = None
    _lent: Services | None = None
    #: Which item of a map this is for.
    _item: Part | None = None

    def __init__(
        self,
        link: WorkerLink,
        ticket: int,
        view: View,
        definition: Definition | None,
        task_id: str,
        extra: dict[str, Any] | None,
        part: Part | None = None,
    ) -> None:
        # Deliberately without the base's constructor: a body pays only for what it uses.
        self._link = link
        self._ticket = ticket
        self._view = view
        self._definition = definition
        self._extra = extra
        self._task_id = task_id
        self._channel: BranchChannel | None = None
        self._member: str = task_id if extra is None else extra.get("member", task_id)
        if part is not None:
            self._item = part

    def ask(self, *question: Any) -> Any:
        """Ask the coordinator and wait for the answer."""
        return ask(self._link, self._ticket, *question)

    def __reduce__(self) -> Any:
        raise TypeError(
            f"the context of task '{self._task_id}' means nothing outside of it; return what you read from it"
        )

    @property
    def _part(self) -> Part:
        """Which of the bodies of its ticket this is."""
        if self._item is not None:
            return self._item
        extra = self._extra
        return 0, self._task_id if extra is None else extra.get("base", self._task_id)

    @property
    def channel(self) -> BranchChannel:  # type: ignore[override]
        """The channel as this task sees it."""
        found = self._channel
        return self._first_use("_channel", self._new_channel) if found is None else found

    def _first_use(self, name: str, make: Callable[[], Any]) -> Any:
        """Return an attribute that is made when it is first used, by whichever thread of the body."""
        with making:
            found = getattr(self, name)
            if found is None:
                found = make()
                setattr(self, name, found)
        return found

    def _new_channel(self) -> BranchChannel:
        extra = self._extra
        values = self._view.values
        if not self._view.shared or (extra is not None and "values" in extra):
            values = {} if extra is None else extra.get("values", {})
        parent = RemoteChannel(self._link, self._ticket, values)
        live: Any = RemoteLive(self._link, self._ticket, self._part)
        return BranchChannel(self.session_id, parent, live)

    def writes(self) -> list[Any]:
        """Return the log of what this task wrote."""
        channel = self._channel
        return [] if channel is None else channel.log

    @property
    def graph(self) -> Any:  # type: ignore[override]
        """The run's graph."""
        found = self._graph
        return self._first_use("_graph", lambda: RemoteGraph(self.ask)) if found is None else found

    @property
    def services(self) -> Services:
        """What an installed graflow lends the run."""
        found = self._lent
        return self._first_use("_lent", self._new_services) if found is None else found

    def _new_services(self) -> Services:
        from graflow_fast._worker.remote_services import services_of

        return services_of(self)

    @property
    def session_id(self) -> str:  # type: ignore[override]
        """The id of this branch."""
        return f"{self._view.session_id}_{self._member}" if self._in_branch else self._view.session_id

    @property
    def trace_id(self) -> str:  # type: ignore[override]
        """The id of the run."""
        return self._view.trace_id

    @property
    def scope_name(self) -> str:  # type: ignore[override]
        """What distinguishes this branch in generated names."""
        return f"{self._view.scope_name}/{self._member}" if self._in_branch else self._view.scope_name

    @property
    def _in_branch(self) -> bool:
        return self._view.shared

    @property
    def cycle_controller(self) -> CycleController:  # type: ignore[override]
        """This task's cycle count and limit."""
        found = self._cycles
        return self._first_use("_cycles", self._new_cycles) if found is None else found

    def _new_cycles(self) -> CycleController:
        made = RemoteCycles(self._view.default_max_cycles, self.ask)
        base = self._task_id if self._extra is None else self._extra.get("base", self._task_id)
        made.cycle_counts[base] = 1 if self._extra is None else self._extra.get("cycles", 1)
        limit = self._limit("max_cycles")
        if limit is not None:
            made.set_node_max_cycles(base, limit)
        return made

    def _limit(self, name: str) -> int | None:
        """Return a limit of this task: what its definition says, else what the run's controllers were told."""
        limit: int | None = None if self._definition is None else getattr(self._definition, name)
        if limit is None and self._extra is not None:
            limit = self._extra.get("limits", {}).get(name)
        return limit

    @property
    def retry_controller(self) -> RetryController:  # type: ignore[override]
        """This task's retry count and limit."""
        found = self._retries
        return self._first_use("_retries", self._new_retries) if found is None else found

    def _new_retries(self) -> RetryController:
        made = RetryController(self._view.default_max_retries)
        count = 0 if self._extra is None else self._extra.get("retries", 0)
        limit = self._limit("max_retries")
        if count:
            made.retry_counts[self._task_id] = count
        if limit is not None:
            made.set_node_max_retries(self._task_id, limit)
        return made

    def seed_of(self, task_id: str) -> int:
        """Return the seed of a task: reproducible within a workflow, whatever executes it."""
        return seed_of(self._view.seed, self.scope_name, task_id)

    def starts_around(self) -> str:
        """Return which start it is of each group around this branch."""
        return str(self.ask("starts_around")) if self._in_branch else ""

    def group_name(self, task_id: str, serial: int) -> str:
        """Return the name of the next unnamed group made by this body."""
        if self._in_branch:
            return f"{task_id}.ParallelGroup_{serial}"
        made = 0 if self._extra is None else self._extra.get("group_count", 0)
        return f"ParallelGroup_{made + serial}"

    def workflow_around(self) -> Any:
        """Return the workflow that is current where the run was started, None if there is none."""
        found = self._workflow
        return self._first_use("_workflow", self._new_workflow) if found is None else found

    def _new_workflow(self) -> Any:
        from graflow_fast._worker.remote_workflow import RemoteWorkflow

        name = self.ask("workflow")
        return None if name is None else RemoteWorkflow(name, self.graph, self.ask)

    def checkpoint_now(self, task_id: str, metadata: dict[str, Any], path: str | None) -> tuple[str, Any]:
        """Have the coordinator write a checkpoint that resumes at this task."""
        log = pack_log(task_id, self.channel.log)
        self.channel.log.clear()
        written: tuple[str, Any] = ask(self._link, self._ticket, "checkpoint", task_id, metadata, path, log)
        return written
