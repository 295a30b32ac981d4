"""The one table of placement: where a body runs is a property of the program (its options, the group, the executor).

Never of timing. Knows neither how places run bodies nor what may run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._hints import with_hint
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import ConfigError, as_runtime_error

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Branch
    from graflow_fast._places.host import Settings
    from graflow_fast.coordination.coordinator import CoordinationBackend
    from graflow_fast.core.handler import TaskHandler
    from graflow_fast.core.mapping import MapTask
    from graflow_fast.core.task import Executable

INLINE, THREAD, PROCESS = "inline", "thread", "process"

_HANDLERS = {"direct": INLINE, "thread": THREAD, "process": PROCESS}
_BACKENDS = {"DIRECT": INLINE, "THREADING": THREAD, "PROCESS": PROCESS}


class Placement:
    """Decides for each task where its body runs.

    Strongest first: the task's own ``handler``, its group's backend, the run's executor. Under ``auto`` members of
    groups, all tasks of a parallel schedule and tasks with limits go to the pool, all others run inline.
    """

    def __init__(self, settings: Settings, handlers: dict[str, TaskHandler]) -> None:
        self.executor = settings.resolved_executor()
        self.default_limits = settings.timeout is not None or settings.memory_limit is not None
        self.handlers = handlers

    def of(self, task: Executable, branch: Branch, parallel: bool) -> str:
        """Return where the body of a task runs in a branch."""
        return self._of(task, branch.placement, branch.fork is not None or parallel)

    def of_member(self, task: Executable, group_placement: str | None) -> str:
        """Return where the body of a task runs in the branch of a group's member."""
        return self._of(task, group_placement, True)

    def _of(self, task: Executable, group_placement: str | None, is_concurrent: bool) -> str:
        if not isinstance(task, TaskWrapper):
            return INLINE
        definition = task._definition
        if task.handler_type in self.handlers:
            return INLINE
        if definition.handler is not None:
            return _HANDLERS.get(definition.handler, INLINE)
        if group_placement is not None:
            return group_placement
        if self.executor != "auto":
            return self.executor
        if is_concurrent or self.default_limits:
            return PROCESS
        if definition.timeout is not None or definition.memory_limit is not None:
            return PROCESS
        return INLINE

    def of_items(self, task: MapTask, branch: Branch) -> str:
        """Return where the items of a map run: as the members of a group would."""
        definition = task.task._definition
        if definition.handler is not None:
            return _HANDLERS.get(definition.handler, INLINE)
        placement = of_backend(task._execution_config["backend"], branch)
        if placement is not None:
            return placement
        return PROCESS if self.executor == "auto" else self.executor

    def members_in_pool(self, group_placement: str | None) -> bool:
        """Say whether the members of a group run in the pool, but for those whose own handler says otherwise."""
        if group_placement is not None:
            return group_placement == PROCESS
        return self.executor in ("auto", PROCESS)

    def check(self, tasks: list[Executable]) -> None:
        """Refuse what can't be honoured before anything starts; one task of each definition is enough.

        Raises:
            GraflowRuntimeError: a task names a handler that is neither built in nor registered.
            ConfigError: a limit is asked for where no process could be stopped.
        """
        for task in tasks:
            if task.is_map:
                task = task.task  # type: ignore[attr-defined]
            if not isinstance(task, TaskWrapper):
                continue
            definition = task._definition
            handler = definition.handler
            if handler is not None and handler not in _HANDLERS and handler not in self.handlers:
                supported = ", ".join(dict.fromkeys([*_HANDLERS, *self.handlers]))
                error = ValueError(f"Unknown handler type: {handler}. Supported: {supported} (task '{task.task_id}')")
                raise as_runtime_error(with_hint(error, handler, [*_HANDLERS, *self.handlers]))
            if definition.timeout is None and definition.memory_limit is None and not self.default_limits:
                continue
            place = _HANDLERS.get(handler, INLINE) if handler is not None else self.executor
            if place in (INLINE, THREAD):
                limit = "memory_limit" if definition.memory_limit is not None else "timeout"
                asked = f"handler={handler!r}" if handler is not None else f"executor={place!r}"
                raise ConfigError(
                    f"Task '{task.task_id}' has a {limit}, but {asked} runs it in this process, which can't be "
                    "stopped. Use executor='auto' or 'process', or drop the limit"
                )


def of_backend(backend: CoordinationBackend | str | None, around: Branch) -> str | None:
    """Return where the members of a group run that says so, or that is in a branch of one that does; None for none."""
    if backend is None:
        return around.placement
    return _BACKENDS.get(getattr(backend, "name", str(backend)).upper(), around.placement)
