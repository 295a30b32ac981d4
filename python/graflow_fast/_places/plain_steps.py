"""Plain steps of one run: bodies in this process that need no record of their attempt, whichever thread calls them.

Owns which bodies are plain, and the context of a step that may be asked for one. The steps themselves are begun, run
and ended in Rust (`graflow_fast._core.PlainSteps`); whatever is not plain goes back to the driver, which gives it to
its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING, fill_arguments
from graflow_fast._body.limits import apply_limits, has_limits, shares_limited_name
from graflow_fast._core import PlainSteps as CoreSteps
from graflow_fast._places.placement import INLINE, PROCESS, THREAD
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._actions import Action
    from graflow_fast._core import Branches, PlainJournal
    from graflow_fast._places.host import StepHost
    from graflow_fast.core.context import ExecutionContext

    class Step(Protocol):
        """A step that is running: the name of its task, its branch, and since when, in seconds since the epoch."""

        @property
        def name(self) -> str:
            """The name of its task."""

        @property
        def branch(self) -> int:
            """The branch that it runs in."""

        @property
        def started(self) -> float:
            """When its body was called."""


#: How groups say that their members run: by themselves not at all, or where. The first is the workflow's own branch.
_KINDS = ("", None, INLINE, THREAD, PROCESS)


class PlainSteps:
    """Runs plain steps of one run; the core asks it what it can't know, and tells it what is not plain.

    Attributes:
        data, expiries: the channel's dictionaries when writing to them is all that setting a value does, else None.
    """

    def __init__(self, host: StepHost, journal: PlainJournal | None = None) -> None:
        self.host = host
        context = host.context
        self.channel = channel = context.channel
        plain = type(channel) is MemoryChannel or journal is not None  # whose channel takes results as they are
        self.data = channel.data if plain else None  # type: ignore[attr-defined]
        self.expiries = channel.ttl_data if plain else None  # type: ignore[attr-defined]
        self.counts = host.step_counts()
        self.retry_counts = context.retry_controller.retry_counts
        record = None if host.note_task is None and journal is None else getattr(context.tracer, "_record", None)
        self.times = None if record is None else record.times
        self.core = CoreSteps(host.scheduler, host.nodes.tasks, host.nodes.names, TaskWrapper, self, journal)
        self.marker = StepContext(self.core, self.context_of)
        #: Whether steps of the workflow's own branch are plain, too.
        self._has_root = not host.parallel and host.keeps_all
        self._outer: list[tuple[Any, Any]] = []

    @property
    def in_body(self) -> bool:
        """Whether one of them is running."""
        return bool(self._outer)

    def go_on(self, action: Action) -> Action | None:
        """Run plain steps in this thread from ``action`` on; return the first action that is none, or None."""
        following: Action | None = self.core.go_on(action)
        return following

    def close(self) -> None:
        """Let go of the core, which holds this in turn: the garbage collector may be off."""
        del self.core, self.marker

    def context_of(self, branch_id: int) -> ExecutionContext:
        """Return the execution context of the bodies of a branch."""
        return self.host.branches.branch(branch_id).context if branch_id else self.host.context

    # --- what the core asks

    def branches(self) -> Branches:
        """Return what keeps what members have done."""
        return self.host.branches.core

    def group_of(self, branch_id: int) -> tuple[int, int, int, bool]:
        """Return of a branch's group its first branch, the one after its last, how it is placed, and what members see.

        That is: its number among `_KINDS`, -1 where no member is plain, and whether the workflow's own channel is what
        a member sees that begins.
        """
        fork = self.host.branches.fork_of(branch_id)
        kind = -1 if fork.begins_again else _KINDS.index(fork.placement)
        sees_root = fork.parent.fork is None and not self.host.parallel
        return fork.first, fork.first + len(fork.nodes), kind, sees_root

    def flows(self, branch_id: int) -> bool:
        """Say whether all that comes before a member in order has been shown."""
        fork = self.host.branches.fork_of(branch_id)
        return fork.flows(branch_id - fork.first)

    def enter(self, in_root: bool) -> None:
        """Let this thread be in a body of this run from now on."""
        running, context = registry.running, self.host.context
        self._outer.append((running.task_context, context.current_task_context))
        self.marker.forget()
        running.task_context = self.marker
        if in_root:
            context.current_task_context = self.marker  # type: ignore[assignment]

    def leave(self, any_completed: bool, last_result: Any) -> None:
        """Let the thread be where it was before; note what the last step gave, if one completed."""
        registry.running.task_context, self.host.context.current_task_context = self._outer.pop()
        self.host.bodies.ran()
        if any_completed:
            self.host.last_result = last_result

    def caught_up(self, last_result: Any) -> None:
        """Note what the last step gave that ended in an earlier process."""
        self.host.last_result = last_result

    def new_context(self) -> TaskExecutionContext:
        """Return the context of a step of the workflow's own branch that takes one."""
        context, step = self.host.context, self.core
        made = TaskExecutionContext(step.name, context, step.name, step.started)
        registry.running.task_context = context.current_task_context = made
        object.__setattr__(self.marker, "_made", made)
        return made

    def renew(self) -> None:
        """Stand for the next step, which may take no context."""
        self.marker.forget()
        registry.running.task_context = self.host.context.current_task_context = self.marker  # type: ignore[assignment]

    def context(self) -> TaskExecutionContext:
        """Return the context of the step that ended."""
        made = self.marker.made()
        self.marker.forget()
        return made

    def fill_arguments(self, task: TaskWrapper, task_id: str, cause: int) -> dict[str, Any]:
        """Return the arguments of a body, however they are found."""
        previous = NOTHING if cause < 0 else self.host.bodies.previous_value(cause, self.channel)
        return fill_arguments(task._definition, task_id, task._bound_kwargs, self.channel, previous)

    def plan_of(self, task: TaskWrapper, kind: int) -> tuple[Any, ...] | None:
        """Return how to run a task's definition the short way, None when it needs the driver.

        ``kind`` is that of the group whose member's branch it runs in, 0 for the workflow's own branch.
        That is: the function, whether another thread calls it, whether it takes the context, its parameters, whether
        they are looked up in the channel, the names that may be bound (None: any), and what sets its limits (None:
        nothing).
        """
        host = self.host
        definition = task._definition
        plain = task.handler_type == "direct" and "direct" not in host.handlers
        is_surrounded = definition.resources is not None or definition.injected is not None
        if not plain or is_surrounded or not (kind or self._has_root):
            return None
        if host.is_durable and (kind or definition.transient):
            return None  # what becomes of it is Python's to write down
        place = host.placement.of_member(task, _KINDS[kind]) if kind else host.placement.of(task, host.root, False)
        if place != INLINE and (place != THREAD or host.is_durable):
            return None
        body = definition.func
        if definition.cache is not None:
            if kind or place == THREAD:
                return None  # it may want the context, whatever the function takes
            from graflow_fast._places.surrounded import body_of

            body = body_of(definition, host.context.session_id)
        parameters = [(each.name, each.result_key, each.required) for each in definition.parameters]
        names = None if definition.takes_any else frozenset(name for name, _, _ in parameters)
        limit: Callable[[str], None] | None = None
        node = host.nodes.ids.get(task.task_id)
        if shares_limited_name(None if node is None else host.nodes.tasks[node], task):
            return None  # the driver sees to it that each of the two has its own limits
        if has_limits(definition):

            def limit(task_id: str) -> None:
                apply_limits(host.context, definition, task_id, task_id)

        in_thread = place == THREAD
        return (
            body,
            in_thread,
            definition.inject_context,
            parameters,
            definition.resolve_keyword_args,
            names,
            limit,
        )

    def returned(self, action: Action, task_context: TaskExecutionContext, result: Any) -> Action | None:
        """Apply what a step returned that asked for something; return the next action."""
        self.host.attempts.of_step(action, task_context.start_time).returned(result, task_context.directives)
        return self.host.next()

    def raised(self, action: Action, task_context: TaskExecutionContext, error: Exception) -> Action | None:
        """Note that a step raised; return the next action."""
        self.host.attempts.of_step(action, task_context.start_time).failed(error)
        return self.host.next()


class StepContext:
    """Stands for the context of the step that is running; one is made only when it is asked for."""

    __slots__ = ("_context_of", "_made", "_step")

    def __init__(self, step: Step, context_of: Callable[[int], ExecutionContext]) -> None:
        object.__setattr__(self, "_step", step)
        object.__setattr__(self, "_context_of", context_of)
        object.__setattr__(self, "_made", None)

    def made(self) -> TaskExecutionContext:
        """Return the context of the step."""
        if self._made is None:
            name, branch_id = self._step.name, self._step.branch
            context = self._context_of(branch_id)
            made = TaskExecutionContext(name, context, name, self._step.started)
            if branch_id:
                context.current_task_context = made
            object.__setattr__(self, "_made", made)
        return self._made  # type: ignore[no-any-return]

    @property
    def task_id(self) -> str:
        """The name of the step's task: no context is made for it, since each log record asks."""
        return self._step.name if self._made is None else self._made.task_id  # type: ignore[no-any-return]

    def given(self) -> TaskExecutionContext | None:
        """Return the context of the step if it was asked for."""
        return self._made  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Stand for the next step."""
        made = self._made
        if made is not None and made.execution_context.current_task_context is made:
            made.execution_context.current_task_context = None
        object.__setattr__(self, "_made", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.made(), name, value)
