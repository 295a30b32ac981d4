"""The state of one run that users see: `ExecutionContext`, one per run and one per branch of it.

Owns what survives a run: channel, completed tasks, counters, stop reason. It does not decide what runs next
(`graflow_fast._run` does). What it forwards to the running task is in `_control`, how it gets into files in `_saving`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

from graflow_fast.channels.factory import ChannelFactory
from graflow_fast.core._saving import Saved
from graflow_fast.core._served import Served
from graflow_fast.core._waiting import WaitingTasks
from graflow_fast.core.cycle import CycleController
from graflow_fast.core.noop_tracer import NoopTracer
from graflow_fast.core.retry_counts import RetryController
from graflow_fast.core.task_context import TaskExecutionContext

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast._core import NodeIds, StepCounts
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.local_queue import LocalTaskQueue
    from graflow_fast.core.task import Executable
    from graflow_fast.core.tracer import Tracer

__all__ = ["ExecutionContext", "TaskExecutionContext", "create_execution_context", "execute_with_cycles"]

DEFAULT_MAX_CYCLES = 10


class ExecutionContext(Saved, Served):
    """One run of a graph, or one branch of it.

    Attributes:
        graph: the graph that runs.
        start_node: where it starts.
        max_steps: after how many completed tasks the run stops; None: no limit.
        session_id: the id of this run or branch; trace_id: the id shared by all branches of a run.
        channel: what the tasks share.
        cycle_controller, retry_controller: the counters of loops and retries.
        stop_reason: why the run ended: ``"completed"``, ``"terminated"``, ``"canceled"``, ``"failed"``,
            ``"max_steps"``, ``"deadline"``, ``"feedback_timeout"``, or None before that.
        ctrl_message: the message of the terminate or cancel that ended it.
        checkpoint_metadata, last_checkpoint_path: of the latest checkpoint written or resumed from.
    """

    def __init__(
        self,
        graph: TaskGraph,
        start_node: str | None = None,
        max_steps: int | None = None,
        default_max_cycles: int = DEFAULT_MAX_CYCLES,
        default_max_retries: int = 0,
        steps: int = 0,
        channel_backend: str = "memory",
        config: dict[str, Any] | None = None,
        parent_context: ExecutionContext | None = None,
        session_id: str | None = None,
        trace_id: str | None = None,
        tracer: Tracer | None = None,
        llm_client: Any = None,
        prompt_manager: Any = None,
        channel: Channel | None = None,
    ) -> None:
        self.parent_context = parent_context
        if llm_client is not None or prompt_manager is not None:
            from graflow_fast.core.services import Services

            self._services = Services(llm_client, prompt_manager)
        self.session_id: str = session_id or os.urandom(16).hex()
        self.trace_id: str = trace_id or (parent_context.trace_id if parent_context else self.session_id)
        self.tracer: Tracer = tracer if tracer is not None else NoopTracer()
        self.graph = graph
        self.start_node = start_node
        self.max_steps = max_steps
        self.default_max_retries = default_max_retries
        self._steps = steps
        #: Counts the steps of the run that is under way.
        self._run_steps: Callable[[], int] | None = None
        self._original_config: dict[str, Any] = dict(config) if config else {}
        self._channel_backend_type = channel_backend
        self.channel: Channel = (
            ChannelFactory.create_channel(backend=channel_backend, name=self.session_id, **self._original_config)
            if channel is None
            else channel
        )
        self.cycle_controller = CycleController(default_max_cycles)
        self.retry_controller: RetryController = RetryController(default_max_retries)
        self.current_task_context: TaskExecutionContext | None = None
        #: The group that this branch is a member of, or the map.
        self._group: str | None = None
        self.ctrl_message: str | None = None
        self.stop_reason: str | None = None
        self._control_called: set[str] = set()
        #: The tasks and groups completed, in order; members of groups count in their group.
        self.completed_tasks: list[str] = []
        #: The same as a set, made when it is first needed, and who else must know of it then.
        self._completed_names: set[str] | None = None
        self._step_counts: StepCounts | None = None
        self.checkpoint_metadata: dict[str, Any] = {}
        self.last_checkpoint_path: str | None = None
        #: Names waiting to run: the start node at first, or what a checkpoint left; see `graflow_fast._run.resume`.
        self.pending = WaitingTasks([start_node] if start_node else [])
        #: What else a checkpoint left: iterations under way and half-filled joins.
        self.resume_state: dict[str, Any] | None = None
        #: The workflow it was made by, and the run that drives it while it is executing.
        self._workflow: Any = None
        self._run: Any = None
        #: Distinguishes branches in generated names; the root's is empty.
        #: name -> the definition whose limits the controllers have, where it has any.
        self.limited_by: dict[str, Definition] = {}
        self.scope_name = ""
        #: Where and on how many workers bodies run; see `graflow_fast._run.settings`.
        self.settings: Any = None

    @classmethod
    def create(
        cls,
        graph: TaskGraph,
        start_node: str | None = None,
        max_steps: int | None = None,
        default_max_cycles: int = DEFAULT_MAX_CYCLES,
        default_max_retries: int = 0,
        channel_backend: str = "memory",
        config: dict[str, Any] | None = None,
        tracer: Tracer | None = None,
        llm_client: Any = None,
        prompt_manager: Any = None,
    ) -> ExecutionContext:
        """Create the context of a new run; without ``start_node`` it starts at the first node without predecessors.

        Raises:
            ConfigError: an unknown channel backend.
        """
        if start_node is None:
            candidates = graph.get_start_nodes()
            start_node = candidates[0] if candidates else None
        return cls(
            graph,
            start_node,
            max_steps=max_steps,
            default_max_cycles=default_max_cycles,
            default_max_retries=default_max_retries,
            channel_backend=channel_backend,
            config=config,
            tracer=tracer,
            llm_client=llm_client,
            prompt_manager=prompt_manager,
        )

    def create_branch_context(
        self, branch_id: str, channel: Channel | None = None, tracer: Tracer | None = None
    ) -> ExecutionContext:
        """Create the context of a branch: its own channel view and counters, the same trace, a clone of the tracer."""
        if channel is None:
            from graflow_fast._body.scope import BranchChannel

            channel = BranchChannel(f"{self.session_id}_{branch_id}", self.channel)
        branch = ExecutionContext(
            self.graph,
            max_steps=self.max_steps,
            default_max_cycles=self.cycle_controller.default_max_cycles,
            default_max_retries=self.default_max_retries,
            config=self._original_config,
            parent_context=self,
            session_id=f"{self.session_id}_{branch_id}",
            trace_id=self.trace_id,
            tracer=self.tracer.clone(self.trace_id) if tracer is None else tracer,
            channel=channel,
        )
        branch.scope_name = f"{self.scope_name}/{branch_id}"
        branch.settings = self.settings
        branch._run = self._run
        return branch

    # --- results, completion

    @property
    def _completed(self) -> set[str]:
        if self._completed_names is None:
            self._completed_names = set(self.completed_tasks)
            if self._step_counts is not None:
                self._step_counts.share_completed(self._completed_names)
        return self._completed_names

    def count_steps(self, names: list[str], ids: NodeIds, plain: int) -> StepCounts:
        """Return where a run counts its plain steps and notes which completed, by node."""
        from graflow_fast._core import StepCounts

        known = self._completed if self.completed_tasks else None
        counts = self.cycle_controller.cycle_counts
        self._step_counts = made = StepCounts(names, ids, plain, counts, self.completed_tasks, known)
        if counts:
            made.share_counts()
        else:
            self.cycle_controller.count_by_node(made)
        return made

    def mark_task_completed(self, task_id: str) -> None:
        """Add a task to `completed_tasks`, unless it is there."""
        if self._completed_names is None:
            counts = self._step_counts
            if counts is not None and counts.complete_named(task_id):
                return
        completed = self._completed
        if task_id not in completed:
            completed.add(task_id)
            self.completed_tasks.append(task_id)

    def set_result(self, task_id: str, result: Any) -> None:
        """Store a task's result, in the channel under ``<task>.__result__``."""
        self.channel.set(f"{task_id}.__result__", result)

    def get_result(self, task_id: str, default: Any = None) -> Any:
        """Return a task's result, else ``default``; of a failed task, its exception."""
        return self.channel.get(f"{task_id}.__result__", default)

    def get_channel(self) -> Channel:
        """Return the channel."""
        return self.channel

    @property
    def steps(self) -> int:
        """How many tasks and groups completed."""
        return self._steps if self._run_steps is None else self._run_steps()

    @steps.setter
    def steps(self, count: int) -> None:
        self._steps = count

    def increment_step(self) -> None:
        """Count one more completed task."""
        self._steps += 1
        if self._run is not None and self._run.context is self:
            self._run.steps_before += 1

    def merge_results(self, sub_context: ExecutionContext) -> None:
        """Take over what a branch wrote, its steps and its loop counts."""
        from graflow_fast._body.scope import BranchChannel, replay

        branch = sub_context.channel
        if isinstance(branch, BranchChannel):
            replay(branch.log, self.channel, branch.live)
        elif branch is not self.channel:
            for key in branch.keys():  # noqa: SIM118 - a channel is no mapping
                self.channel.set(key, branch.get(key))
        self._steps += sub_context.steps
        self.cycle_controller.cycle_counts.update(sub_context.cycle_controller.cycle_counts)

    def mark_branch_completed(self, branch_id: str) -> None:
        """Do nothing: a place for subclasses to note that a branch has been merged."""

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits, was skipped, failed or was never reached; also during the run."""
        if self._run is None:
            return f"Nothing is known of task '{task_id}': this context has not been executed in this process."
        sentence: str = self._run.explain(task_id, self)
        return sentence

    # --- the queue, for the low-level way of running

    @property
    def queue(self) -> LocalTaskQueue:
        """The tasks waiting to run, before the run takes them over."""
        if self._queue is None:
            from graflow_fast.core.local_queue import LocalTaskQueue

            self._queue = LocalTaskQueue.of_context(self)
        return self._queue

    task_queue = queue

    def add_to_queue(self, executable: Executable) -> None:
        """Let a task run after those already waiting; inside a running task, as its `next_task` does."""
        if self.current_task_context is not None:
            self.current_task_context.next_task(executable)
            return
        self.pending.append(executable.task_id)
        if self._queue is not None and self._queue.enable_metrics:
            self._queue.metrics["enqueued"] += 1
        self.tracer.on_task_queued(executable, self)

    def get_next_task(self) -> str | None:
        """Take the id of the next waiting task, None when there is none."""
        return self.pending.popleft() if self.pending else None

    def is_completed(self) -> bool:
        """Say whether nothing waits to run."""
        return not self.pending or (self.max_steps is not None and self.steps >= self.max_steps)

    # --- names and seeds that depend on the program alone

    def seed_of(self, task_id: str) -> int:
        """Return the seed of a task: reproducible within a workflow, whatever executes it."""
        return seed_of(self._original_config.get("seed", 0), self.scope_name, task_id)

    def starts_around(self) -> str:
        """Return which start it is of each group, or map, around this branch; a retry is no new one."""
        parent, group = self.parent_context, self._group
        return "" if parent is None or group is None else parent.starts_within(group)

    def starts_within(self, group: str) -> str:
        """Return what `starts_around` is in a group of this branch."""
        start = self.cycle_controller.get_cycle_count(group) - self.retry_controller.get_retry_count(group)
        return f"{self.starts_around()}/{group} {start}"

    def group_name(self, task_id: str, serial: int) -> str:
        """Return the name of the ``serial``-th unnamed group that the body of ``task_id`` makes."""
        if self.scope_name or self._run is None:
            return f"{task_id}.ParallelGroup_{serial}"
        return f"ParallelGroup_{self._run.group_count + serial}"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration given at creation."""
        return self._original_config

    # --- running and saving

    def execute(self) -> Any:
        """Run this context to its end and return the last task's result."""
        from graflow_fast.core.engine import WorkflowEngine

        return WorkflowEngine().execute(self)

    def checkpoint_now(self, task_id: str, metadata: dict[str, Any], path: str | None) -> tuple[str, Any]:
        """Write a checkpoint that resumes at ``task_id``, which is running in this context."""
        from graflow_fast.core.checkpoint import write_for_body

        return write_for_body(self, task_id, metadata, path)

    def workflow_around(self) -> Any:
        """Return the workflow that is current around the run, where that is another process; else None."""
        return None


def seed_of(seed: Any, scope_name: str, task_id: str) -> int:
    """Return the seed of a task of a run with that seed, in the branch of that name."""
    text = f"{seed}/{scope_name}/{task_id}".encode()
    return zlib.crc32(text) << 32 | zlib.crc32(text, 0x5EED)


def create_execution_context(
    start_node: str = "ROOT", max_steps: int | None = 10, tracer: Tracer | None = None
) -> ExecutionContext:
    """Create the context of a graph with a single empty node."""
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.task import Task

    graph = TaskGraph()
    graph.add_node(Task(start_node, register_to_context=False), start_node)
    return ExecutionContext.create(graph, start_node, max_steps=max_steps, tracer=tracer)


def execute_with_cycles(graph: TaskGraph, start_node: str, max_steps: int = 10) -> None:
    """Run a graph that may have loops from ``start_node``, at most ``max_steps`` tasks."""
    from graflow_fast.core.engine import WorkflowEngine

    WorkflowEngine().execute_with_cycles(graph, start_node, max_steps)
