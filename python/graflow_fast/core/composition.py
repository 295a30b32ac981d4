"""Executables, and how they are composed: the operators, chains and parallel groups.

Owns what a user composes before a run. It knows workflows only through `registry` (where a new task belongs), and
nothing of tasks' bodies, how they are scheduled or where they run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from graflow_fast._core import Composable, are_unlinked_tasks
from graflow_fast.core import registry
from graflow_fast.core._execution import update_execution
from graflow_fast.exceptions import GraflowRuntimeError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.coordination.backend import CoordinationBackend
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.group_policy import GroupExecutionPolicy


class Executable(Composable, ABC):
    """Anything that can stand in a workflow: a task, a chain of tasks, or a parallel group.

    ``>>`` and ``<<`` are the base's, which hands all but the plain case to `registry.connect`.
    """

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

    if TYPE_CHECKING:

        def __rshift__(self, other: Executable) -> SequentialTask: ...

        def __lshift__(self, other: Executable) -> SequentialTask: ...

    @property
    def _ends(self) -> tuple[Executable, Executable]:
        """The first and the last task of a chain; of all else the thing itself."""
        return self, self

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

    # Most chains are thrown away at once; `>>` fills the slots.
    __slots__ = ("_first", "_last", "_left", "_right", "_tasks")

    _first: Executable
    _last: Executable
    #: What was joined, as long as nobody has asked for the tasks.
    _left: Executable | None
    _right: Executable | None
    _tasks: list[Executable] | None

    def __init__(self, tasks: list[Executable]) -> None:
        if not tasks:
            raise ValueError("SequentialTask requires at least one task")
        self._tasks = list(tasks)
        self._left = self._right = None
        self._first, self._last = tasks[0], tasks[-1]

    @property
    def _ends(self) -> tuple[Executable, Executable]:
        return self._first, self._last

    @property
    def tasks(self) -> list[Executable]:
        """The tasks from first to last."""
        if self._tasks is None:
            found: list[Executable] = []
            todo: list[Executable] = [self]
            while todo:
                part = todo.pop()
                if isinstance(part, SequentialTask) and part._tasks is None:
                    assert part._left is not None
                    assert part._right is not None
                    todo += (part._right, part._left)
                else:
                    found += _chain_of(part)
            self._tasks = found
            self._left = self._right = None
        return self._tasks

    @property
    def leftmost(self) -> Executable:
        """The first task."""
        return self._first

    @property
    def rightmost(self) -> Executable:
        """The last task."""
        return self._last

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_tasks": self.tasks}

    def __setstate__(self, state: dict[str, Any]) -> None:
        tasks = state.pop("_tasks")
        self.__dict__.update(state)
        SequentialTask.__init__(self, tasks)

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


class Fragment(SequentialTask):
    """What a body passed to ``next_task``, with the edges that the body has made.

    Attributes:
        passed: what was passed.
        made: these edges; they grow until the body has ended.
    """

    def __init__(self, passed: Executable, made: registry.BodyLinks) -> None:
        super().__init__([_first(passed)])
        self.passed = passed
        self.made = made


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
        from graflow_fast._body.direct import run_group_directly

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

    In a running task there may be none: what is composed then is a step that does nothing.

    Raises:
        ValueError: no task was given, and no task is running here.
    """
    if not tasks:
        if registry.running.task_context is None:
            raise ValueError("chain requires at least one task")
        return SequentialTask([ParallelGroup([])])
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

    In a running task there may be any number, for what it found to do: a group of one, or of none, which does nothing.

    Raises:
        ValueError: fewer than two tasks were given, and no task is running here.
    """
    if len(tasks) < 2:
        if registry.running.task_context is None:
            raise ValueError("parallel requires at least two tasks")
        for task in tasks:
            _check_executable(task, "|")
        return ParallelGroup(list(tasks))
    group: ParallelGroup = tasks[0] | tasks[1]
    rest = tasks[2:]
    if are_unlinked_tasks(rest):
        group.tasks.extend(rest)
        return group
    for task in rest:
        group = group | task
    return group


def refuse(other: Any, operator: str) -> None:
    """Say that something can't be composed.

    Raises:
        TypeError: always.
    """
    from graflow_fast._hints import instead_of

    hint = "did you call the task instead of naming it?" if other is None else instead_of(other)
    kinds = "Task, TaskWrapper, SequentialTask, or ParallelGroup"
    found = f"{type(other)} ({hint})" if hint else f"{type(other)}"
    raise TypeError(f"Can only combine with {kinds}: {found}")


def _check_executable(other: Any, operator: str) -> None:
    if not isinstance(other, Executable):
        refuse(other, operator)


def _first(executable: Executable) -> Executable:
    return executable.leftmost if isinstance(executable, SequentialTask) else executable


def _chain_of(executable: Executable) -> list[Executable]:
    return executable.tasks if isinstance(executable, SequentialTask) else [executable]
