"""Executables, and how they are composed: the operators, chains and parallel groups.

Owns what a user composes before a run. It knows workflows only through `registry` (where a new task belongs), and
nothing of tasks' bodies, how they are scheduled or where they run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graflow_fast.core import registry
from graflow_fast.core._execution import update_execution
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast.coordination.coordinator import CoordinationBackend
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handlers.group_policy import GroupExecutionPolicy


class Executable(ABC):
    """Anything that can stand in a workflow: a task, a chain of tasks, or a parallel group."""

    is_group = False
    is_map = False
    is_template = False
    #: Whether the name holds only until this joins a workflow, which counts its own groups.
    provisional_name = False

    #: Neighbours while this belongs to no workflow yet; edges travel with their tasks.
    _links: registry.Links | None = None
    #: The workflow graphs' owner this was registered with, if any (see `registry`).
    _owner: Any = None
    _execution_context: ExecutionContext | None = None

    @property
    @abstractmethod
    def task_id(self) -> str:
        """The name, unique within a workflow."""

    @property
    def handler_type(self) -> str:
        """Who runs the body: ``"direct"`` unless the task says otherwise."""
        handler: str = self.__dict__.get("_handler_type", "direct")
        return handler

    @handler_type.setter
    def handler_type(self, name: str) -> None:
        self.__dict__["_handler_type"] = name

    def _register_to_context(self) -> None:
        """Join the workflow being defined; for subclasses, in their constructor."""
        registry.register(self)

    def set_execution_context(self, context: ExecutionContext) -> None:
        """Set the context that `run` resolves arguments against; handlers and policies rely on it."""
        self._execution_context = context

    def get_execution_context(self) -> ExecutionContext:
        """Return the context set by `set_execution_context`.

        Raises:
            GraflowRuntimeError: none was set.
        """
        if self._execution_context is None:
            raise GraflowRuntimeError("Execution context not set. Call set_execution_context() first.")
        return self._execution_context

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body in the calling thread and return what it returns."""

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, or for a task made by ``@task`` called with keywords: make an instance."""

    def __rshift__(self, other: Executable) -> SequentialTask:
        """``self >> other``: ``other`` runs after ``self``."""
        _check_executable(other, ">>")
        registry.connect(_last(self), _first(other))
        return SequentialTask.joined(self, other)

    def __lshift__(self, other: Executable) -> SequentialTask:
        """``self << other``: ``self`` runs after ``other``."""
        _check_executable(other, "<<")
        registry.connect(_last(other), _first(self))
        return SequentialTask.joined(other, self)

    def __or__(self, other: Executable) -> ParallelGroup:
        """``self | other``: both run in parallel, each with the chain that hangs on it."""
        _check_executable(other, "|")
        if isinstance(other, ParallelGroup) and not registry.successors_of(other):
            other.tasks.insert(0, _first(self))
            registry.member_added(other, _first(self))
            return other
        return ParallelGroup([_first(self), _first(other)])

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for transient in ("_execution_context", "_owner", "__annotations__"):
            state.pop(transient, None)
        return state


class SequentialTask(Executable):
    """A chain made by ``>>``: a handle on its tasks, not a node of the graph itself."""

    def __init__(self, tasks: list[Executable]) -> None:
        if not tasks:
            raise ValueError("SequentialTask requires at least one task")
        self._tasks: list[Executable] | None = list(tasks)
        self._parts: tuple[Executable, Executable] | None = None
        self._ends = (tasks[0], tasks[-1])

    @classmethod
    def joined(cls, left: Executable, right: Executable) -> SequentialTask:
        """Return the chain of what ``left`` and ``right`` are chains of, without copying either."""
        made = cls.__new__(cls)
        made._tasks, made._parts = None, (left, right)
        made._ends = (_first(left), _last(right))
        return made

    @property
    def tasks(self) -> list[Executable]:
        """The tasks from first to last."""
        if self._tasks is None:
            found: list[Executable] = []
            todo: list[Executable] = [self]
            while todo:
                part = todo.pop()
                if isinstance(part, SequentialTask) and part._tasks is None:
                    assert part._parts is not None
                    todo += reversed(part._parts)
                else:
                    found += _chain_of(part)
            self._tasks, self._parts = found, None
        return self._tasks

    @property
    def leftmost(self) -> Executable:
        """The first task."""
        return self._ends[0]

    @property
    def rightmost(self) -> Executable:
        """The last task."""
        return self._ends[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_tasks": self.tasks, "_parts": None}

    @property
    def task_id(self) -> str:
        """The id of the first task, at which the chain is entered."""
        return self.leftmost.task_id

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the first task only, in a context that was set; a workflow runs the rest.

        Raises:
            GraflowRuntimeError: no context was set.
        """
        context = self.get_execution_context()
        for task in self.tasks:
            task.set_execution_context(context)
        return self.leftmost.run(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the first task."""
        return self.run(*args, **kwargs)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Executable:
        return self.tasks[index]

    def __iter__(self) -> Iterator[Executable]:
        return iter(self.tasks)

    def __repr__(self) -> str:
        return f"SequentialTask([{' >> '.join(task.task_id for task in self.tasks)}])"


class ParallelGroup(Executable):
    """Members that run in parallel, joined before what follows the group.

    Attributes:
        tasks: the members, in order; a member that heads a chain brings its chain along.
    """

    is_group = True

    def __init__(self, tasks: list[Executable], name: str | None = None) -> None:
        self.tasks: list[Executable] = [_first(task) for task in tasks]
        self._execution_config: dict[str, Any] = {"backend": None, "backend_config": {}, "policy": "strict"}
        self._task_id = name or ""
        if name is None:
            self._task_id, self.provisional_name = registry.next_group_name()
        registry.register(self)

    @property
    def task_id(self) -> str:
        """The group's name; ``ParallelGroup_1``, ``_2``, ... of its workflow unless named."""
        return self._task_id

    def set_group_name(self, name: str) -> ParallelGroup:
        """Name the group; returns it, for chaining.

        Raises:
            ValueError: the workflow has a node of that name.
        """
        registry.rename(self, name)
        self._task_id = name
        self.provisional_name = False
        return self

    def with_execution(
        self,
        backend: CoordinationBackend | None = None,
        backend_config: dict[str, Any] | None = None,
        policy: str | GroupExecutionPolicy = "strict",
    ) -> ParallelGroup:
        """Say where the members run and what counts as success; returns the group, for chaining.

        Args:
            backend: ``DIRECT`` (this thread, one after the other), ``THREADING`` or ``PROCESS``; None (default)
                follows the
                run's ``executor``. ``REDIS`` is refused.
            backend_config: options of the backend; ``thread_count`` and ``max_workers`` are accepted.
            policy: ``"strict"`` (default), ``"best_effort"`` or a `GroupExecutionPolicy`.

        Raises:
            ConfigError: the backend is REDIS.
        """
        update_execution(self._execution_config, f"Group '{self.task_id}'", backend, backend_config, policy)
        return self

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the members one after the other, here and now, in a context that was set and takes their results.

        Raises:
            GraflowRuntimeError: no context was set.
            ParallelGroupError: the members' success does not satisfy the group's policy.
        """
        from graflow_fast._run.direct import run_group_directly

        run_group_directly(self, self.get_execution_context())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the members."""
        return self.run()

    def __or__(self, other: Executable) -> ParallelGroup:
        """Add a member; two groups without successors become one, else a group of both."""
        _check_executable(other, "|")
        if isinstance(other, ParallelGroup):
            if registry.successors_of(self) or registry.successors_of(other):
                return ParallelGroup([self, other])
            self.tasks.extend(other.tasks)
            for member in other.tasks:
                registry.member_added(self, member)
            registry.unregister(other)
            return self
        if isinstance(other, SequentialTask) and registry.successors_of(self):
            return ParallelGroup([self, _first(other)])
        self.tasks.append(_first(other))
        registry.member_added(self, _first(other))
        return self

    def __repr__(self) -> str:
        return f"ParallelGroup({[task.task_id for task in self.tasks]})"


def chain(*tasks: Executable) -> SequentialTask:
    """Compose tasks one after the other, as ``a >> b >> c`` does.

    Raises:
        ValueError: no task was given.
    """
    if not tasks:
        raise ValueError("chain requires at least one task")
    first, *rest = tasks
    if not rest:
        return first if isinstance(first, SequentialTask) else SequentialTask([first])
    sequence: list[Executable] = list(_chain_of(first))
    for task in rest:
        _check_executable(task, ">>")
        registry.connect(sequence[-1], _first(task))
        sequence.extend(_chain_of(task))
    return SequentialTask(sequence)


def parallel(*tasks: Executable) -> ParallelGroup:
    """Compose tasks side by side, as ``a | b | c`` does.

    Raises:
        ValueError: fewer than two tasks were given.
    """
    if len(tasks) < 2:
        raise ValueError("parallel requires at least two tasks")
    group: ParallelGroup = tasks[0] | tasks[1]
    for task in tasks[2:]:
        group = group | task
    return group


def _check_executable(other: Any, operator: str) -> None:
    if not isinstance(other, Executable):
        hint = " (did you call the task instead of naming it?)" if other is None else ""
        kinds = "Task, TaskWrapper, SequentialTask, or ParallelGroup"
        raise TypeError(f"Can only combine with {kinds}: {type(other)}{hint}")


def _first(executable: Executable) -> Executable:
    return executable.leftmost if isinstance(executable, SequentialTask) else executable


def _last(executable: Executable) -> Executable:
    return executable.rightmost if isinstance(executable, SequentialTask) else executable


def _chain_of(executable: Executable) -> list[Executable]:
    return executable.tasks if isinstance(executable, SequentialTask) else [executable]
