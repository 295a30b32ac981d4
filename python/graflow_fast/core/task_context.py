"""What a body sees of its run: `TaskExecutionContext`. It records directives; applying them is the driver's work.

The same class serves inline, thread and worker bodies; what differs is the execution context behind it.
"""

from __future__ import annotations

import time
import zlib

from graflow_fast.core._feedback import Asking
from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from graflow_fast.channels.base import Channel
    from graflow_fast.channels.typed import TypedChannel
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.registry import BodyLinks
    from graflow_fast.core.task import Executable

    T = TypeVar("T")


def base_task_id(task_id: str) -> str:
    """Return the id of the task that ``task_id`` is an iteration of, or the id itself."""
    if "_cycle_" not in task_id:
        return task_id
    import re  # slow to import, and rarely needed

    return re.sub(r"(_cycle_\d+_[0-9a-f]+)+$", "", task_id) or task_id


def iteration_id(base_id: str, cycle: int, serial: int, scope: str) -> str:
    """Return the id of an iteration: the same on every executor, since it depends on the program alone."""
    return f"{base_id}_cycle_{cycle}_{zlib.crc32(f'{scope}/{base_id}/{cycle}/{serial}'.encode()):08x}"


class TaskExecutionContext(Asking):
    """The view that a running body has of its workflow.

    Attributes:
        task_id: the id of the running task; an iteration has an id of its own.
        execution_context: the run's context (of this branch).
        start_time: when the body started, in seconds since the epoch.
    """

    __slots__ = (
        "__dict__",
        "_base_task_id",
        "_graph",
        "_groups_made",
        "_local_data",
        "directives",
        "execution_context",
        "start_time",
        "task_id",
    )

    #: The edges that the body has made outside of the graph, once it has made any.
    links_made: BodyLinks | None = None

    def __init__(
        self, task_id: str, execution_context: Any, base_id: str | None = None, start_time: float | None = None
    ) -> None:
        self.task_id = task_id
        self._base_task_id = base_task_id(task_id) if base_id is None else base_id
        self.execution_context = execution_context
        self.start_time = time.time() if start_time is None else start_time
        self._local_data: dict[str, Any] | None = None
        self._groups_made = 0
        self._graph: TaskGraph
        #: What the body asked for, in call order: (kind, ...) tuples; see `graflow_fast._run.attempts.directives`.
        self.directives: list[tuple[Any, ...]] | None = None

    # --- where this body stands

    @property
    def cycle_count(self) -> int:
        """How often this task has started in this run or branch, this time included; retries don't count."""
        return int(self.execution_context.cycle_controller.get_cycle_count(self._base_task_id))

    @property
    def max_cycles(self) -> int:
        """How often this task may start by ``next_iteration``."""
        return int(self.execution_context.cycle_controller.get_max_cycles_for_node(self._base_task_id))

    @property
    def retry_count(self) -> int:
        """How many attempts of this task have failed before this one."""
        return int(self.execution_context.retry_controller.get_retry_count(self.task_id))

    @property
    def max_retries(self) -> int:
        """How many failed attempts are repeated."""
        controller = self.execution_context.retry_controller
        if self.task_id in controller.node_max_retries:
            return int(controller.get_max_retries_for_node(self.task_id))
        return int(controller.get_max_retries_for_node(self._base_task_id))

    @property
    def trace_id(self) -> str:
        """The id shared by the whole run, 32 hexadecimal digits."""
        return str(self.execution_context.trace_id)

    @property
    def session_id(self) -> str:
        """The id of the run, or of the branch within it."""
        return str(self.execution_context.session_id)

    @property
    def graph(self) -> TaskGraph:
        """The graph of the run; ``get_node(name)`` finds any task that could be jumped to.

        What a body adds to it counts in the run when the body has returned.
        """
        try:
            return self._graph
        except AttributeError:
            pass
        from graflow_fast.core.graph import TaskGraph
        from graflow_fast.core.graph_view import BodyGraph

        graph: TaskGraph = self.execution_context.graph
        if isinstance(graph, TaskGraph):
            graph = BodyGraph(graph, self.change_graph)
        self._graph = graph
        return graph

    @property
    def seed(self) -> int:
        """A 64-bit seed of this task, the same for any number of workers and any batching."""
        return int(self.execution_context.seed_of(self.task_id))

    @property
    def key(self) -> str:
        """What names this start of the task to other systems, 32 hexadecimal digits: an idempotency key.

        It is the same for each attempt, in a durable run also in a process that goes on with it; another one for each
        iteration, each round of a loop and each run. So an effect outside that is keyed by it happens once.
        """
        from hashlib import blake2b

        context = self.execution_context
        around = f"{context.trace_id}{context.starts_around()}/{context.scope_name}"
        text = f"{around}/{self.task_id}/{self.cycle_count}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def local_data(self) -> dict[str, Any]:
        """A dictionary for this execution of the task only."""
        if self._local_data is None:
            self._local_data = {}
        return self._local_data

    def set_local_data(self, key: str, value: Any) -> None:
        """Keep a value for this execution of the task."""
        self.local_data[key] = value

    def get_local_data(self, key: str, default: Any = None) -> Any:
        """Return a value kept by `set_local_data`, else ``default``."""
        return self.local_data.get(key, default)

    def elapsed_time(self) -> float:
        """Return the seconds since the body started."""
        return time.time() - self.start_time

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far this body is, for whoever watches the run (``execute(progress=True)``); costs little otherwise.

        Args:
            done: how much is done, in any unit.
            total: how much there is in all; None (default): not known.
            message: what is being done now; some 280 bytes of it are shown.
        """
        amounts = float(done), float("nan") if total is None else float(total)
        from graflow_fast._core import say_progress

        if say_progress(*amounts, str(message)):
            return
        shown = getattr(getattr(self.execution_context, "_run", None), "shown", None)
        if shown is not None:
            shown.said(self._base_task_id, *amounts, str(message))

    # --- control: directives, which take effect when the body has returned

    def can_iterate(self) -> bool:
        """Say whether `next_iteration` is still within the limit."""
        return bool(self.execution_context.cycle_controller.accept_next_cycle(self._base_task_id))

    def next_iteration(self, data: Any = None) -> str:
        """Run this task again after it returns, with ``data`` as its argument when it is not None.

        Its successors wait until it stops iterating.

        Returns:
            The id of the iteration, ``<task>_cycle_<n>_<hex>``.

        Raises:
            CycleLimitExceededError: the task has reached its ``max_cycles``.
        """
        controller = self.execution_context.cycle_controller
        controller.check_cycle_limit(self._base_task_id)
        cycle = controller.get_cycle_count(self._base_task_id)
        serial = 0 if self.directives is None else sum(directive[0] == "iterate" for directive in self.directives)
        name = iteration_id(self._base_task_id, cycle, serial, self.execution_context.scope_name)
        self._direct(("iterate", name, data))
        return name

    def next_task(self, executable: Executable, goto: bool = False) -> str:
        """Run ``executable`` next: a new task, chain or group, or one that is already in the graph.

        Args:
            executable: what to run.
            goto: skip the normal successors of this task (default: they run as well, after ``executable`` was queued).

        Returns:
            The id of ``executable``.

        Raises:
            TypeError: it is not a task, chain or group.
        """
        task_id = getattr(executable, "task_id", None)
        if not isinstance(task_id, str):
            from graflow_fast._hints import instead_of

            hint = instead_of(executable) or "name the task without calling it"
            if isinstance(executable, str):
                hint = f"ctx.graph.get_node({executable!r}) finds a task by its name"
            raise TypeError(
                f"Task '{self.task_id}': next_task() takes a task, a chain or a group, not {type(executable).__name__}"
                f" ({hint})"
            )
        if self.links_made is not None:
            from graflow_fast.core.composition import Fragment

            executable = Fragment(executable, self.links_made)
        directive = "next", executable, bool(goto)
        if self.directives is None:  # as `_direct` does; of these there may be millions
            self.directives = [directive]
        else:
            self.directives.append(directive)
        return task_id

    def terminate_workflow(self, message: str = "") -> None:
        """End the workflow well: this task completes, nothing further starts, ``execute()`` returns normally."""
        self._direct(("terminate", message))

    def cancel_workflow(self, message: str = "") -> None:
        """End the workflow with an error: this task doesn't complete, `GraflowWorkflowCanceledError` is raised."""
        self._direct(("cancel", message))

    def checkpoint(
        self, metadata: dict[str, Any] | None = None, *, path: str | None = None, deferred: bool = True
    ) -> tuple[str, Any] | None:
        """Write a checkpoint: after this task completed (default), or now, to be resumed at this task.

        Args:
            metadata: kept beside the checkpoint, with the task's id, cycle count and elapsed time added.
            path: where to write; default: ``checkpoints/<session>/...``.
            deferred: False writes it now.

        Returns:
            (path, metadata) when written now, else None.
        """
        enriched: dict[str, Any] = dict(metadata or {})
        enriched.setdefault("task_id", self.task_id)
        enriched.setdefault("cycle_count", self.cycle_count)
        enriched.setdefault("elapsed_time", self.elapsed_time())
        enriched.setdefault("mode", "deferred" if deferred else "immediate")
        if deferred:
            self._direct(("checkpoint", enriched, path))
            return None
        written: tuple[str, Any] = self.execution_context.checkpoint_now(self.task_id, enriched, path)
        return written

    def change_graph(self, *change: Any) -> None:
        """Note that the body has added a node or an edge to the graph that is running."""
        self._direct(change)

    def _direct(self, directive: tuple[Any, ...]) -> None:
        if self.directives is None:
            self.directives = [directive]
        else:
            self.directives.append(directive)

    # --- data

    def get_channel(self) -> Channel:
        """Return the channel that the workflow's tasks share."""
        channel: Channel = self.execution_context.get_channel()
        return channel

    def get_typed_channel(self, message_type: type[T]) -> TypedChannel[T]:
        """Return the channel as one of messages of ``message_type``, a TypedDict."""
        from graflow_fast.channels.typed import TypedChannel

        return TypedChannel(self.get_channel(), message_type)

    def get_result(self, node: str, default: Any = None) -> Any:
        """Return the result of a task that has run, else ``default``."""
        return self.execution_context.get_result(node, default)

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits, was skipped or retried, as far as the run has come."""
        return str(self.execution_context.explain(task_id))

    def next_group_name(self) -> str:
        """Return the name for the next unnamed group that this body makes."""
        self._groups_made += 1
        name: str = self.execution_context.group_name(self.task_id, self._groups_made)
        return name

    # --- what an installed graflow lends

    def _lent(self, name: str) -> Any:
        try:
            return getattr(self.execution_context, name)
        except ConfigError as error:
            raise ConfigError(f"Task '{self.task_id}': {error}") from None

    @property
    def llm_client(self) -> Any:
        """The run's LLM client, where graflow is installed (``graflow-fast[graflow]``)."""
        return self._lent("llm_client")

    @property
    def prompt_manager(self) -> Any:
        """The run's prompt manager, where graflow is installed."""
        return self._lent("prompt_manager")

    def get_llm_agent(self, name: str) -> Any:
        """Return a registered LLM agent.

        Raises:
            KeyError: there is none of that name.
        """
        return self.execution_context.get_llm_agent(name)

    def register_llm_agent(self, name: str, agent: Any) -> None:
        """Register an LLM agent for the tasks that follow."""
        self.execution_context.register_llm_agent(name, agent)

    def __str__(self) -> str:
        return f"TaskExecutionContext(task_id={self.task_id}, cycle_count={self.cycle_count})"
