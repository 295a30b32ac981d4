"""Tasks: named nodes with a body (`TaskWrapper`), without one (`Task`), or seen from a worker (`TaskReference`).

Owns what a task is before a run. How tasks are composed is in `composition`; nothing here knows how they are scheduled
or where their bodies run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from graflow_fast._core import Instances, learn
from graflow_fast.core import registry
from graflow_fast.core.composition import Executable, ParallelGroup, SequentialTask, chain, parallel, refuse
from graflow_fast.core.definition import LAZY_ANNOTATIONS, Definition
from graflow_fast.core.graph import TaskGraph
from graflow_fast.exceptions import GraflowRuntimeError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.core.mapping import MapTask
    from graflow_fast.core.retry import RetryPolicy

__all__ = [
    "Executable",
    "ParallelGroup",
    "SequentialTask",
    "Task",
    "TaskReference",
    "TaskWrapper",
    "chain",
    "parallel",
]


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

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id, register_to_context=False)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: the body lives in the process that runs the workflow."""
        raise GraflowRuntimeError(
            f"Task '{self.task_id}' is only a reference here; pass it to ctx.next_task() to have it run"
        )


class TaskWrapper(Instances, Executable):
    """A task made from a function by ``@task``, or an instance of one with bound parameters.

    ``t(task_id="x", **bound)`` or ``t(**bound)`` makes an instance; without arguments it runs the body. The base does
    so in the plain case, and asks `_called` in all others.
    """

    # Of these there may be millions; what only some have is in the dictionary.
    __slots__ = ("_definition", "_names", "_owner", "_task_id", "_values")

    _task_id: str
    _definition: Definition
    #: The names of the bound parameters, one tuple for all tasks of a definition that bind the same; see `bound_of` in
    #: `rust/python/src/tables/arguments.rs`, which reads them too.
    _names: tuple[str, ...]
    #: Their values; of a single one the value itself.
    _values: Any

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
            injected = None
            if inject_llm_client or inject_llm_agent:
                from graflow_fast.core.services import injection

                injected = injection(task_id, inject_llm_client, inject_llm_agent)
            self._definition = Definition.of(
                func,
                bool(inject_context),
                bool(resolve_keyword_args),
                handler=handler_type,
                max_cycles=max_cycles,
                max_retries=max_retries,
                retry_policy=retry_policy,
                injected=injected,
            )
        self._names = self._values = ()
        if register_to_context:
            registry.register(self)

    # What the definition says, readable on every instance of it.

    @property
    def task_id(self) -> str:
        """The name."""
        return self._task_id

    @property
    def _bound_kwargs(self) -> dict[str, Any]:
        """The bound parameters, in a new dictionary."""
        names = self._names
        return {names[0]: self._values} if len(names) == 1 else dict(zip(names, self._values, strict=True))

    @_bound_kwargs.setter
    def _bound_kwargs(self, bound: dict[str, Any]) -> None:
        names = tuple(bound)
        self._names = self._definition.bound_names.setdefault(names, names) if names else ()
        self._values = bound[names[0]] if len(names) == 1 else tuple(bound.values())

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
        """Whether the body is handed the run's LLM client."""
        return self._definition.injected is not None and self._definition.injected[0]

    @property
    def inject_llm_agent(self) -> str | None:
        """The name of the LLM agent that the body is handed; None: it gets none."""
        return None if self._definition.injected is None else self._definition.injected[1]

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

    def __get__(self, instance: object, owner: type | None = None) -> TaskWrapper:
        """Do as functions do: a method's task, found through an object, is that of the object.

        What makes it a method is that its first parameter is called ``self`` or ``cls``: other tasks may be attributes
        of classes, too, and stay what they are.
        """
        if instance is None or not self._definition.is_method:
            return self
        from graflow_fast.core.methods import task_of_object

        return task_of_object(self, instance)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the body here and now, filling open parameters as a workflow would; for unit tests and handlers."""
        from graflow_fast._body.direct import run_directly

        return run_directly(self, args, kwargs)

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make an instance, or run the body, in all cases.

        Raises:
            TypeError: positional arguments were given (bind by keyword, or call ``t.run(...)``).
        """
        if len(args) == 1 and isinstance(args[0], type) and self._definition.is_method:
            # A class method, from Python 3.13 on: `classmethod` gives what it wraps its class, and asks it nothing.
            from graflow_fast.core.methods import task_of_object

            return task_of_object(self, args[0])(**kwargs)
        if args:
            raise TypeError(
                f"Task '{self._task_id}': TaskWrapper instance creation does not support positional arguments "
                f"(got {len(args)}). Please use keyword arguments only: {self._definition.name}(task_id=..., "
                f"name=value), or {self._definition.name}.run(...) to call the body"
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
        instance._bound_kwargs = {**self._bound_kwargs, **kwargs} if self._names else kwargs
        registry.note_use(self)
        registry.register(instance)
        return instance

    def map(
        self,
        items: Any = ...,
        *more: Any,
        zip: Mapping[str, Any] | None = None,
        product: Mapping[str, Any] | None = None,
        ordered: bool = True,
        chunk: int | None = None,
        fail_fast: bool = False,
        on_error: str | None = None,
        task_id: str | None = None,
        **bound: Any,
    ) -> MapTask:
        """Return a node that runs this task once for every item; its result is the list of results.

        Args:
            items: any iterable, read as it is needed; or a task or the name of one, whose result holds the items;
                default: what the task before returned. Each item becomes the first open parameter of the body.
            more: further iterables: the parts of an item become the first open parameters; ends with the shortest.
            zip: iterables of one length by the names of the parameters that they go to.
            product: iterables by the names of parameters; a call for each combination, the last one changes first.
            ordered: whether results are in the order of the items, else in the order of completion.
            chunk: how many items travel to a worker at once; default: as many as take some milliseconds.
            fail_fast: whether nothing after the first item that fails is run any more; default: all run, as in a
                group.
            on_error: what becomes of items that fail for good: ``"raise"`` (`ParallelGroupError` when all have run),
                ``"keep"`` (the exception stands in the item's place), ``"skip"`` (the item is left out). Default: what
                the policy says (`MapTask.with_execution`), which raises.
            task_id: the node's name; default ``<task>_map``.
            bound: other arguments, the same for all items.

        Raises:
            TypeError: the items are given in two ways, an argument that the body doesn't have.
            ConfigError: an option has a value that it can't have.
        """
        from graflow_fast.core.mapping import mapped

        options = {"ordered": ordered, "chunk": chunk, "fail_fast": fail_fast, "on_error": on_error, "task_id": task_id}
        return mapped(self, items, more, zip, product, bound, options)

    def starmap(self, items: Any = ..., **options: Any) -> MapTask:
        """Return a node that runs this task for every item, whose parts become the first open parameters.

        Args:
            items: as for `map`; each is a tuple or the like, or a mapping whose items go to the parameters they name.
            options: those of `map`, and other arguments, the same for all items.
        """
        from graflow_fast.core.mapping import mapped

        names = ("ordered", "chunk", "fail_fast", "on_error", "task_id")
        bound = {name: value for name, value in options.items() if name not in names}
        given = {name: options[name] for name in names if name in options}
        return mapped(self, items, (), None, None, bound, {**given, "spreads": True})

    def __getattr__(self, name: str) -> Any:
        # Function attributes (``__name__``, ``__doc__``, ...) come from the definition; instances hold none of them.
        if name in _FUNCTION_ATTRIBUTES:
            return self._definition.function_attribute(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce__(self) -> Any:
        extra = {key: value for key, value in self.__getstate__().items() if key not in _CORE_STATE}
        return _rebuild_task, (self._task_id, self._definition, self._bound_kwargs, extra)

    def __copy__(self) -> TaskWrapper:
        return _rebuild_task(self._task_id, self._definition, self._bound_kwargs, {})

    def __deepcopy__(self, memo: dict[int, Any]) -> TaskWrapper:
        from copy import deepcopy

        return _rebuild_task(self._task_id, self._definition, deepcopy(self._bound_kwargs, memo), {})

    def __repr__(self) -> str:
        return f"TaskWrapper({self._task_id})"


_FUNCTION_ATTRIBUTES = frozenset(("__name__", "__qualname__", "__wrapped__", "__annotations__", "_original_func"))
if LAZY_ANNOTATIONS:
    _FUNCTION_ATTRIBUTES |= {"__annotate__"}
    for _kind in (TaskWrapper, Executable):  # which would be found before those of the task's function
        if "__annotations__" in vars(_kind):
            del _kind.__annotations__

_CORE_STATE = frozenset({"_links", "__doc__", "__module__"})


def iteration_of(task: Executable, name: str, data: Any) -> Executable:
    """Return a task that runs another one's body once more, with data of an iteration as its argument.

    Args:
        task: the other one.
        name: the iteration's id.
        data: None for no argument.
    """
    if not isinstance(task, TaskWrapper):
        return Task(name, register_to_context=False)
    made = _rebuild_task(name, task._definition, task._bound_kwargs, {})
    if data is not None:
        made.__dict__["iteration_data"] = (data,)
    return made


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


learn(TaskWrapper, SequentialTask, TaskGraph, registry.current_workflow.get, refuse, registry.connect)
