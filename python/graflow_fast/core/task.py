"""Executables: tasks, chains and parallel groups, and the operators that compose them.

Owns what a user composes before a run. It knows workflows only through `registry` (where a new task belongs), and
nothing
of how tasks are scheduled or where their bodies run.
"""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from graflow_fast.core import registry
from graflow_fast.core._execution import update_execution
from graflow_fast.core.definition import Definition
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast.coordination.coordinator import CoordinationBackend
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handlers.group_policy import GroupExecutionPolicy
    from graflow_fast.core.mapping import MapTask
    from graflow_fast.core.retry import RetryPolicy


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


class Task(Executable):
    """A named node without a body: a start or meeting point."""

    def __init__(self, task_id: str, register_to_context: bool = True) -> None:
        self._task_id = task_id
        self.__name__ = task_id
        if register_to_context:
            registry.register(self)

    @property
    def task_id(self) -> str:
        """The name given."""
        return self._task_id

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Do nothing and return None."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do nothing and return None."""
        return self.run()

    def __repr__(self) -> str:
        return f"Task({self._task_id})"


class TaskReference(Task):
    """A task of the running graph, seen from a worker: its name stands for it in ``next_task`` and edges."""

    def __init__(self, task_id: str, graph: Any = None) -> None:
        super().__init__(task_id, register_to_context=False)
        self.is_reference = True

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: the body lives in the process that runs the workflow."""
        raise GraflowRuntimeError(
            f"Task '{self.task_id}' is only a reference here; pass it to ctx.next_task() to have it run"
        )


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


class TaskWrapper(Executable):
    """A task made from a function by ``@task``, or an instance of one with bound parameters."""

    # Of these there may be millions; what only some have is in the dictionary.
    __slots__ = ("_bound_kwargs", "_definition", "_owner", "_task_id")

    _task_id: str
    _definition: Definition
    _bound_kwargs: dict[str, Any]

    def __init__(
        self,
        task_id: str,
        func: Callable[..., Any] | Definition,
        inject_context: bool = False,
        inject_llm_client: bool = False,
        inject_llm_agent: str | None = None,
        register_to_context: bool = True,
        handler_type: str | None = None,
        resolve_keyword_args: bool = True,
        max_cycles: int | None = None,
        max_retries: int | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self._task_id = task_id
        self._owner = None
        if isinstance(func, Definition):
            self._definition = func
        else:
            Definition.refuse_llm(task_id, inject_llm_client, inject_llm_agent)
            self._definition = Definition(
                func,
                inject_context=inject_context,
                handler=handler_type,
                resolve_keyword_args=resolve_keyword_args,
                max_cycles=max_cycles,
                max_retries=max_retries,
                retry_policy=retry_policy,
            )
        self._bound_kwargs = {}
        if register_to_context:
            registry.register(self)

    # What the definition says, readable on every instance of it.

    @property
    def task_id(self) -> str:
        """The name."""
        return self._task_id

    @property
    def func(self) -> Callable[..., Any]:
        """The function that is the body."""
        return self._definition.func

    @property
    def handler_type(self) -> str:
        """The handler asked for, ``"direct"`` when none was."""
        return self._definition.handler or "direct"

    @handler_type.setter
    def handler_type(self, name: str) -> None:
        self._redefine(handler=name)

    def _redefine(self, **options: Any) -> None:
        """Change options of this task alone; instances made before keep theirs."""
        self._definition = self._definition.changed(options)

    @property
    def inject_context(self) -> bool:
        """Whether the body gets a `TaskExecutionContext` as its first argument."""
        return self._definition.inject_context

    @inject_context.setter
    def inject_context(self, value: bool) -> None:
        self._redefine(inject_context=value)

    @property
    def inject_llm_client(self) -> bool:
        """False: LLMs belong to ``graflow``."""
        return False

    @property
    def inject_llm_agent(self) -> str | None:
        """None: LLMs belong to ``graflow``."""
        return None

    @property
    def resolve_keyword_args(self) -> bool:
        """Whether open parameters are looked up in the channel."""
        return self._definition.resolve_keyword_args

    @resolve_keyword_args.setter
    def resolve_keyword_args(self, value: bool) -> None:
        self._redefine(resolve_keyword_args=value)

    @property
    def max_cycles(self) -> int | None:
        """How often the task may run in a loop; None: the run's default."""
        return self._definition.max_cycles

    @max_cycles.setter
    def max_cycles(self, value: int | None) -> None:
        self._redefine(max_cycles=value)

    @property
    def max_retries(self) -> int | None:
        """How often a failed attempt is repeated; None: the run's default."""
        return self._definition.max_retries

    @max_retries.setter
    def max_retries(self, value: int | None) -> None:
        self._redefine(max_retries=value)

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """The policy for waiting between attempts, if any."""
        return self._definition.retry_policy

    @retry_policy.setter
    def retry_policy(self, value: RetryPolicy | None) -> None:
        self._redefine(retry_policy=value)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the body here and now, filling open parameters as a workflow would; for unit tests and handlers."""
        from graflow_fast._run.direct import run_directly

        return run_directly(self, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make an instance: ``t(task_id="x", **bound)`` or ``t(**bound)``; without arguments, run the body.

        Raises:
            TypeError: positional arguments were given (bind by keyword, or call ``t.run(...)``).
        """
        if args:
            raise TypeError(
                f"Task '{self._task_id}' takes keyword arguments only when it makes an instance "
                f"(got {len(args)} positional); use {self._definition.name}(task_id=..., name=value) "
                f"or {self._definition.name}.run(...) to call the body"
            )
        if not kwargs:
            return self.run()
        task_id = kwargs.pop("task_id", None)
        if task_id is None:
            task_id = f"{self._definition.name}_{os.urandom(4).hex()}"
        elif not isinstance(task_id, str):
            raise TypeError(f"task_id must be a str, not {type(task_id).__name__} ({task_id!r})")
        instance: TaskWrapper = TaskWrapper.__new__(type(self))
        instance._task_id = task_id
        instance._owner = None
        instance._definition = self._definition
        instance._bound_kwargs = {**self._bound_kwargs, **kwargs} if self._bound_kwargs else kwargs
        self.is_template = True
        registry.register(instance)
        return instance

    def map(
        self,
        items: Any = ...,
        *,
        ordered: bool = True,
        chunk: int | None = None,
        fail_fast: bool = False,
        task_id: str | None = None,
    ) -> MapTask:
        """Return a node that runs this task once for every item; its result is the list of results.

        Args:
            items: any iterable, read as it is needed; or a task or the name of one, whose result holds the items;
                default: what the task before returned. Each item becomes the first open parameter of the body.
            ordered: whether results are in the order of the items, else in the order of completion.
            chunk: how many items travel to a worker at once; default: as many as take some milliseconds.
            fail_fast: whether nothing after the first item that fails is run any more; default: all run, as in a
                group.
            task_id: the node's name; default ``<task>_map``.
        """
        from graflow_fast.core.mapping import PREVIOUS, MapTask

        items = PREVIOUS if items is ... else items
        return MapTask(self, items, ordered=ordered, chunk=chunk, fail_fast=fail_fast, task_id=task_id)

    def __getattr__(self, name: str) -> Any:
        # Function attributes (``__name__``, ``__doc__``, ...) come from the definition; instances hold none of them.
        if name in ("__name__", "__qualname__", "__wrapped__", "__annotations__", "_original_func"):
            return self._definition.function_attribute(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> Any:
        extra = {key: value for key, value in self.__getstate__().items() if key not in _CORE_STATE}
        return _rebuild_task, (self._task_id, self._definition, self._bound_kwargs, extra)

    def __copy__(self) -> TaskWrapper:
        return _rebuild_task(self._task_id, self._definition, dict(self._bound_kwargs), {})

    def __deepcopy__(self, memo: dict[int, Any]) -> TaskWrapper:
        return _rebuild_task(self._task_id, self._definition, copy.deepcopy(self._bound_kwargs, memo), {})

    def __repr__(self) -> str:
        return f"TaskWrapper({self._task_id})"


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


_CORE_STATE = frozenset({"_task_id", "_definition", "_bound_kwargs", "_links", "__doc__", "__module__"})


def _rebuild_task(task_id: str, definition: Definition, bound: dict[str, Any], extra: dict[str, Any]) -> TaskWrapper:
    """Make the task anew where it was unpickled, registered nowhere."""
    task = TaskWrapper.__new__(TaskWrapper)
    task._task_id = task_id
    task._owner = None
    task._definition = definition
    task._bound_kwargs = bound
    task.__dict__.update(definition.__dict__.get("shown", ()))
    task.__dict__.update(extra)
    return task


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
