"""What ``@task`` says about a function: one `Definition` shared by all instances. Knows nothing of graphs or runs."""

from __future__ import annotations

import operator
import sys
from _weakref import ref

from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from graflow_fast.core.retry import RetryPolicy


#: The flag of async generators' code (`inspect.CO_ASYNC_GENERATOR`).
_ASYNC_GENERATOR = 0x200

#: Whether annotations are computed when somebody reads them, which fails for names that only type checkers know.
LAZY_ANNOTATIONS = sys.version_info >= (3, 14)

#: What tasks show of their function. Annotations that are lazy stay so: `Definition.function_attribute` asks for them.
_SHOWN = ("__doc__", "__module__") if LAZY_ANNOTATIONS else ("__doc__", "__module__", "__annotations__")


#: By a function's address and whether it gets a context and what it looks up: its definition without more options, and
#: what the function was made of then.
_shared: dict[tuple[int, bool, bool], tuple[Callable[[], Definition | None], tuple[Any, ...]]] = {}


def _nothing() -> None:
    return None


_FUNCTION = type(_nothing)


class Parameter:
    """One parameter of a body that a run may fill.

    Attributes:
        name: its name.
        result_key: the channel key under which a task of that name leaves its result.
        required: True when it has no default.
        takes_mapping: False when its annotation says that no mapping fits; True without one.
    """

    __slots__ = ("name", "required", "result_key", "takes_mapping")

    def __init__(self, name: str, required: bool, takes_mapping: bool) -> None:
        self.name = name
        self.result_key = f"{name}.__result__"
        self.required = required
        self.takes_mapping = takes_mapping


class Definition:
    """A function and its options as a task.

    Attributes:
        func: the body.
        inject_context: whether a `TaskExecutionContext` is its first argument.
        handler: the handler asked for, None when none was.
        resolve_keyword_args: whether open parameters are looked up in the channel.
        max_cycles, max_retries, retry_policy: limits of loops and retries; None: the run's defaults.
        timeout: seconds an attempt may take, None: no limit.
        memory_limit: bytes an attempt's process may hold, None: no limit.
        priority: who starts first under ``schedule="parallel"``, higher first.
        max_concurrency: how many attempts of this task may run at once, None: no limit.
        resources: what an attempt takes while it runs: (name, amount) each; None: nothing.
        transient: whether a durable run makes its result again instead of keeping it.
        injected: whether it is handed the run's LLM client, and the name of the agent that it is; None: neither.
        cache: whether results are kept for later runs: the task's id with a version that stands for the code (None: the
            code itself), and what else they depend on; None: they are not.
    """

    #: Set by itself only where it is True: workers need not be told.
    transient = False

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        inject_context: bool = False,
        handler: str | None = None,
        resolve_keyword_args: bool = True,
        max_cycles: int | None = None,
        max_retries: int | None = None,
        retry_policy: RetryPolicy | None = None,
        timeout: float | None = None,
        memory_limit: int | str | None = None,
        priority: int = 0,
        max_concurrency: int | None = None,
        resources: tuple[tuple[str, float], ...] | None = None,
        transient: bool | None = None,
        cache: tuple[Any, tuple[Any, ...]] | None = None,
        injected: tuple[bool, str | None] | None = None,
    ) -> None:
        if _is_async_generator(func):
            raise ConfigError(
                f"'{getattr(func, '__name__', func)}' is an async generator, which a task's body can't be: "
                "make it an async function that returns a list of what it yields"
            )
        if retry_policy is not None and not hasattr(retry_policy, "max_retries"):
            raise ConfigError(
                f"retry_policy={retry_policy!r} must be a RetryPolicy; how often alone is said by max_retries="
            )
        self.func = func
        self.name: str = getattr(func, "__name__", "task")
        self.inject_context = inject_context
        self.handler = handler
        self.resolve_keyword_args = resolve_keyword_args
        self.max_cycles = whole(max_cycles, "max_cycles")
        self.max_retries = whole(retry_policy.max_retries if retry_policy is not None else max_retries, "max_retries")
        self.retry_policy = retry_policy
        self.timeout = positive(timeout, "timeout", "seconds")
        self.memory_limit = parse_bytes(memory_limit)
        self.priority: int = whole(priority, "priority") or 0
        self.max_concurrency = whole(max_concurrency, "max_concurrency", lowest=1)
        self.resources = resources
        if transient:
            self.transient = True
        self.cache = cache
        self.injected = injected
        self._parameters: tuple[Parameter, ...] | None = None
        self._takes_any = False
        #: What fills its parameters, made when it is first needed.
        self.filler: Any = None
        #: The definitions that the function names, as found when it was last sent to a worker: they live as long as it.
        self.named: list[Definition] = []
        #: The names that tasks of it bind, so that all tasks which bind the same hold the same tuple.
        self.bound_names: dict[tuple[str, ...], tuple[str, ...]] = {}
        #: What tasks show of the function, to be put into their dictionaries.
        self.shown = self.shown_by(func)

    @property
    def is_surrounded(self) -> bool:
        """Whether there is something around a call of its body: resources that it takes, the cache, an LLM."""
        return self.resources is not None or self.cache is not None or self.injected is not None

    @staticmethod
    def plain(func: Any, inject_context: bool, resolve_keyword_args: bool) -> Definition:
        """Return a new definition of a plain function with no more options than these.

        Raises:
            ConfigError: the function is an async generator.
        """
        if func.__code__.co_flags & _ASYNC_GENERATOR:
            return Definition(func)
        made = Definition.__new__(Definition)
        fields = made.__dict__
        fields.update(_bare)
        fields["func"], fields["name"] = func, func.__name__
        fields["inject_context"], fields["resolve_keyword_args"] = inject_context, resolve_keyword_args
        fields["named"], fields["bound_names"], fields["shown"] = [], {}, Definition.shown_by(func)
        return made

    @staticmethod
    def shown_by(func: Callable[..., Any]) -> dict[str, Any]:
        """Return what tasks show of a function."""
        shown = {}
        for name in _SHOWN:
            if (value := getattr(func, name, None)) is not None:
                shown[name] = value
        return shown

    @staticmethod
    def of(func: Callable[..., Any], inject_context: bool, resolve_keyword_args: bool, **options: Any) -> Definition:
        """Return the definition of a function with these options; tasks of one plain function without more share one.

        Raises:
            ConfigError: an option is out of range, or the function is an async generator.
        """
        is_plain = type(func) is _FUNCTION
        for name, value in options.items():
            if value is not None and (name != "priority" or type(value) is not int or value):
                is_plain = False
                break
        if not is_plain:
            return Definition(func, inject_context=inject_context, resolve_keyword_args=resolve_keyword_args, **options)
        address = id(func), inject_context, resolve_keyword_args
        annotations = None if LAZY_ANNOTATIONS else func.__annotations__
        made_of = func.__code__, func.__defaults__, func.__kwdefaults__, func.__doc__, func.__module__, annotations
        reference, seen = _shared.get(address, (_nothing, made_of))
        found = reference()
        if found is not None and found.func is func and all(map(operator.is_, seen, made_of)):
            return found
        made = Definition.plain(func, inject_context, resolve_keyword_args)
        forget = _shared.pop  # held by itself: modules lose their names when the interpreter ends

        def gone(reference: ref[Definition]) -> None:
            if _shared.get(address, (None,))[0] is reference:
                forget(address, None)

        _shared[address] = ref(made, gone), made_of
        return made

    def changed(self, options: dict[str, Any]) -> Definition:
        """Return a copy with other options; a retry policy brings its ``max_retries``."""
        other = Definition.__new__(Definition)
        other.__dict__.update(self.__dict__)
        other.__dict__.update(options)
        if other.retry_policy is not None and "retry_policy" in options:
            other.max_retries = other.retry_policy.max_retries
        other.max_cycles = whole(other.max_cycles, "max_cycles")
        other.max_retries = whole(other.max_retries, "max_retries")
        other._parameters = None
        other.filler = None
        return other

    @property
    def is_method(self) -> bool:
        """Whether the body is a function whose first parameter is an object, or its class, by the names of both."""
        code = getattr(self.func, "__code__", None)
        if code is None or getattr(self.func, "__self__", None) is not None or not code.co_argcount:
            return False
        return code.co_varnames[0] in ("self", "cls")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters a run may fill, without the injected context; computed once."""
        if self._parameters is None:
            from graflow_fast.core.signatures import read_parameters, without_injected

            found, self._takes_any = read_parameters(self.func, self.inject_context)
            self._parameters = found if self.injected is None else without_injected(found, self.injected)
        return self._parameters

    @property
    def takes_any(self) -> bool:
        """Whether the function takes keywords of any name, or can't be asked."""
        return self._takes_any if self.parameters is not None else True

    def function_attribute(self, name: str) -> Any:
        """Return an attribute of the function, as ``functools.wraps`` would have copied it."""
        if name in ("__wrapped__", "_original_func"):
            return self.func
        return getattr(self.func, name, {} if name == "__annotations__" else self.name)

    def __getstate__(self) -> dict[str, Any]:
        if LAZY_ANNOTATIONS:
            from graflow_fast.core.signatures import settle_annotations

            settle_annotations(self.func)
        # With its parameters, so that whoever loads it need not find them out.
        parts = {
            "_parameters": self.parameters,
            "_takes_any": self.takes_any,
            "named": [],
            "bound_names": {},
            "filler": None,
        }
        return {**self.__dict__, **parts}


def parse_bytes(limit: int | str | None) -> int | None:
    """Return a size in bytes from a number or a text such as ``"512MB"`` (powers of 1024).

    Raises:
        ConfigError: the text is no size, or the size is not positive.
    """
    if limit is None:
        return None
    size: float
    if isinstance(limit, str):
        text = limit.strip().upper().removesuffix("B").removesuffix("I")
        factor = 1
        for power, unit in enumerate("KMGT", start=1):
            if text.endswith(unit):
                factor, text = 1024**power, text[:-1]
                break
        try:
            size = float(text) * factor
        except ValueError:
            raise ConfigError(f"memory_limit={limit!r} is not a size; write bytes or a text such as '512MB'") from None
    else:
        size = limit
    if isinstance(limit, bool) or not 1 <= size < float("inf"):
        raise ConfigError(f"memory_limit={limit!r} must be positive")
    return int(size)


def positive(value: Any, name: str, unit: str) -> Any:
    """Return a number, or None for none.

    Raises:
        ConfigError: it is no number, or not above 0.
    """
    try:
        fine = value is None or (not isinstance(value, bool) and value > 0)
    except TypeError:
        fine = False
    if not fine:
        raise ConfigError(f"{name}={value!r} must be a positive number of {unit}")
    return value


def whole(value: Any, name: str, lowest: int | None = None) -> int | None:
    """Return a whole number as an ``int``, also one of numpy's; None for none.

    Args:
        value: what the user gave.
        name: the option, for the message.
        lowest: 0 or 1, what it must not be below; None (default): it may be negative.

    Raises:
        ConfigError: it is a fraction, a boolean or no number, or too low.
    """
    if value is None or (type(value) is int and (lowest is None or value >= lowest)):
        return value
    try:
        # The types' own names, since numpy need not be installed.
        number = None if type(value).__name__ in ("bool", "bool_") else operator.index(value)
    except TypeError:
        number = None
    if number is None or (lowest is not None and number < lowest):
        kind = {None: "a whole number", 0: "a whole number, 0 or more", 1: "a positive whole number"}[lowest]
        raise ConfigError(f"{name}={value!r} must be {kind}")
    return number


def _is_async_generator(func: Callable[..., Any]) -> bool:
    """Say whether something is an async generator function, or an object that is one when it is called."""
    code = getattr(func, "__code__", None)
    if code is not None:
        return bool(code.co_flags & _ASYNC_GENERATOR)
    import functools
    import inspect

    while isinstance(func, functools.partial):
        func = func.func
    # Of an object that can be called, the method that is called counts.
    return any(inspect.isasyncgenfunction(each) for each in (func, type(func).__call__))


#: What definitions have that say nothing.
_bare = Definition(_nothing).__dict__
