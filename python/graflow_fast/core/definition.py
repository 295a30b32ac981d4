"""What ``@task`` says about a function: one `Definition` shared by all instances. Knows nothing of graphs or runs."""

from __future__ import annotations

from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from graflow_fast.core.retry import RetryPolicy


#: The flag of an async function's code (`inspect.CO_COROUTINE`).
_COROUTINE = 0x80


class Parameter:
    """One parameter of a body that a run may fill.

    Attributes:
        name: its name.
        result_key: the channel key under which a task of that name leaves its result.
        required: True when it has no default.
        takes_mapping: True when its annotation says that a mapping as a whole fits.
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
    """

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
    ) -> None:
        if _is_async(func):
            raise ConfigError(
                f"'{getattr(func, '__name__', func)}' is an async function, which a task's body can't be: "
                "make it a plain function that calls asyncio.run(...)"
            )
        self.func = func
        self.name: str = getattr(func, "__name__", "task")
        self.inject_context = inject_context
        self.handler = handler
        self.resolve_keyword_args = resolve_keyword_args
        self.max_cycles = max_cycles
        self.max_retries = retry_policy.max_retries if retry_policy is not None else max_retries
        self.retry_policy = retry_policy
        self.timeout = positive(timeout, "timeout", "seconds")
        self.memory_limit = parse_bytes(memory_limit)
        self.priority = priority
        self.max_concurrency = positive(max_concurrency, "max_concurrency", "tasks")
        self._parameters: tuple[Parameter, ...] | None = None
        self._takes_any = False
        #: The definitions that the function names, as found when it was last sent to a worker: they live as long as it.
        self.named: list[Definition] = []
        #: The names that tasks of it bind, so that all tasks which bind the same hold the same tuple.
        self.bound_names: dict[tuple[str, ...], tuple[str, ...]] = {}
        #: What tasks show of the function, to be put into their dictionaries.
        self.shown: dict[str, Any] = {
            name: value
            for name in ("__doc__", "__module__", "__annotations__")
            if (value := getattr(func, name, None)) is not None
        }

    @staticmethod
    def refuse_llm(task_id: str, client: bool, agent: str | None) -> None:
        """Raise `ConfigError` when an LLM is asked for: those belong to ``graflow``."""
        if client or agent:
            option = "inject_llm_client" if client else "inject_llm_agent"
            raise ConfigError(
                f"Task '{task_id}': {option} is not part of graflow_fast. Use graflow for LLM injection, "
                "or create the client inside the task's body"
            )

    def changed(self, options: dict[str, Any]) -> Definition:
        """Return a copy with other options; a retry policy brings its ``max_retries``."""
        other = Definition.__new__(Definition)
        other.__dict__.update(self.__dict__)
        other.__dict__.update(options)
        if options.get("retry_policy") is not None:
            other.max_retries = other.retry_policy.max_retries  # type: ignore[union-attr]
        other._parameters = None
        return other

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters a run may fill, without the injected context; computed once."""
        if self._parameters is None:
            from graflow_fast.core.signatures import read_parameters

            self._parameters, self._takes_any = read_parameters(self.func, self.inject_context)
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
        # With its parameters, so that whoever loads it need not find them out.
        parts = {"_parameters": self.parameters, "_takes_any": self.takes_any, "named": [], "bound_names": {}}
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
    if size <= 0:
        raise ConfigError(f"memory_limit={limit!r} must be positive")
    return int(size)


def positive(value: Any, name: str, unit: str) -> Any:
    """Return a number, or None for none.

    Raises:
        ConfigError: it is no number, or not above 0.
    """
    try:
        fine = value is None or value > 0
    except TypeError:
        fine = False
    if not fine:
        raise ConfigError(f"{name}={value!r} must be a positive number of {unit}")
    return value


def _is_async(func: Callable[..., Any]) -> bool:
    code = getattr(func, "__code__", None)
    if code is not None:
        return bool(code.co_flags & _COROUTINE)
    import inspect

    return inspect.iscoroutinefunction(func)
