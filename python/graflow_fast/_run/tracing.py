"""What a run tells its tracer. A silent one is only told, in brief, that a task of the workflow's own branch ran."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from graflow_fast.core.task import Executable, TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.tags import Tags
    from graflow_fast._run.branches.branches import Fork
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext


class Tracing:
    """The tracer of one run, told in the tracer's own words.

    Attributes:
        silent: whether it need not be told of each task.
        told: how many of those that wait in the workflow's own queue it was told of.
    """

    def __init__(
        self, context: ExecutionContext, scheduler: Scheduler, nodes: NodeTable, tags: Tags, keeps_all: bool
    ) -> None:
        self.context = context
        self.scheduler = scheduler
        self.nodes = nodes
        self.tags = tags
        self.silent: bool = bool(getattr(context.tracer, "silent", False))
        #: Whether a silent one is told of every task that ran: not where tasks are forgotten.
        self._keeps_all = keeps_all
        self.told = 0

    def started(self, attempt: Attempt) -> None:
        """Tell that an attempt starts."""
        if not self.silent:
            self.task_started(self.shown(attempt), attempt.branch.context)

    def task_started(self, task: Executable, context: ExecutionContext) -> None:
        """Tell that a task starts in a branch."""
        context.tracer.on_task_start(task, context)

    def task_ended(
        self, task: Executable, context: ExecutionContext, error: Exception | None, ended: float | None
    ) -> None:
        """Tell that a task of a branch ended, with an error or well, at this time since the epoch."""
        tracer = context.tracer
        with tracer.at(datetime.fromtimestamp(ended) if ended else None):
            tracer.on_task_end(task, context, result=None, error=error)

    def group_started(self, fork: Fork, context: ExecutionContext) -> None:
        """Tell that a group starts, with its members' names."""
        if not self.silent:
            self.queued(started=1)
            context.tracer.on_task_start(fork.group, context)
            context.tracer.on_parallel_group_start(fork.group_name, fork.members, context)

    def group_ended(self, fork: Fork, error: Exception | None) -> None:
        """Tell that a group ended, with an error or well."""
        context = fork.parent.context
        if not self.silent:
            context.tracer.on_parallel_group_end(fork.group_name, fork.members, context)
            context.tracer.on_task_end(fork.group, context, result=None, error=error)
        elif fork.parent.fork is None:
            kind = type(fork.group).__name__
            now = time.time()
            context.tracer.record_task(fork.group_name, fork.started, now, error, kind, fork.group.handler_type)

    def ended(self, attempt: Attempt, error: Exception | None) -> None:
        """Tell that an attempt ended, with an error or well."""
        branch = attempt.branch
        if not self.silent:
            self.task_ended(self.shown(attempt), branch.context, error, attempt.ended)
        elif branch.fork is None and self._keeps_all:
            task = attempt.task
            ended = attempt.ended or time.time()
            branch.context.tracer.record_task(
                attempt.task_id, attempt.started, ended, error, type(task).__name__, task.handler_type
            )

    def left_queue(self, count: int) -> None:
        """Note that so many tasks wait in the workflow's own queue no longer."""
        if not self.silent:
            self.told = max(0, self.told - count)

    def queued(self, started: int = 0) -> None:
        """Tell the tracer which tasks joined the workflow's own queue since it was last told."""
        self.told = max(0, self.told - started)
        waiting = self.scheduler.pending_count
        if waiting <= self.told:
            self.told = waiting
            return
        for node, tag, _ in self.scheduler.pending_work(self.told):
            task = self.nodes.tasks[node]
            if tag and isinstance(task, TaskWrapper):
                name = self.tags.name_of(tag, task.task_id)
                task = TaskWrapper(name, task._definition, register_to_context=False)
            self.context.tracer.on_task_queued(task, self.context)
        self.told = waiting

    def shown(self, attempt: Attempt) -> Executable:
        """Return what tracers are shown: the task, under an iteration's own name if it is one."""
        if attempt.task_id is attempt.base_id or not isinstance(attempt.task, TaskWrapper):
            return attempt.task
        return TaskWrapper(attempt.task_id, attempt.task._definition, register_to_context=False)

    def added(
        self, attempt: Attempt, executable: Executable, iteration: bool, new: bool, goto: bool, name: str = ""
    ) -> None:
        """Tell that a body asked for a task, or for another round of its own."""
        if not self.silent:
            attempt.branch.context.tracer.on_dynamic_task_added(
                task_id=name or executable.task_id,
                parent_task_id=attempt.task_id,
                is_iteration=iteration,
                metadata={"task_type": type(executable).__name__, "is_new_task": new, "goto": goto},
            )
