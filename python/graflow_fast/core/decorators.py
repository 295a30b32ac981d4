"""The ``@task`` decorator in all its spellings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import ConfigError, GraflowError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, overload

    from graflow_fast.core.retry import Errors, RetryPolicy
else:

    def overload(signature: object) -> object:
        """Do nothing: signatures are for type checkers."""
        return signature


@overload
def task(id_or_func: Callable[..., Any]) -> TaskWrapper: ...  # noqa: D103


@overload
def task(  # noqa: D103, F811
    id_or_func: str | None = None,
    *,
    id: str | None = None,
    task_id: str | None = None,
    inject_context: bool = False,
    inject_llm_client: bool = False,
    inject_llm_agent: str | None = None,
    handler: str | None = None,
    resolve_keyword_args: bool = True,
    max_cycles: int | None = None,
    max_retries: int | None = None,
    retry_policy: RetryPolicy | None = None,
    retry_on: Errors | None = None,
    give_up_on: Errors | None = None,
    timeout: float | None = None,
    memory_limit: int | str | None = None,
    priority: int = 0,
    max_concurrency: int | None = None,
    cpus: float | None = None,
    memory: int | str | None = None,
    gpus: int | None = None,
    resources: Mapping[str, float] | None = None,
    transient: bool = False,
    cache: bool = False,
    version: str | int | None = None,
    depends: Any = None,
) -> Callable[[Callable[..., Any]], TaskWrapper]: ...


def task(  # noqa: F811
    id_or_func: Any = None,
    *,
    id: str | None = None,
    task_id: str | None = None,
    inject_context: bool = False,
    inject_llm_client: bool = False,
    inject_llm_agent: str | None = None,
    handler: str | None = None,
    resolve_keyword_args: bool = True,
    max_cycles: int | None = None,
    max_retries: int | None = None,
    retry_policy: RetryPolicy | None = None,
    retry_on: Errors | None = None,
    give_up_on: Errors | None = None,
    timeout: float | None = None,
    memory_limit: int | str | None = None,
    priority: int = 0,
    max_concurrency: int | None = None,
    cpus: float | None = None,
    memory: int | str | None = None,
    gpus: int | None = None,
    resources: Mapping[str, float] | None = None,
    transient: bool = False,
    cache: bool = False,
    version: str | int | None = None,
    depends: Any = None,
    **unknown: Any,
) -> Any:
    """Make a task of a function: ``@task``, ``@task()``, ``@task("id")`` or ``@task(option=...)``.

    Args:
        id_or_func: the function, or the task's id.
        id: the task's id; default: the function's name, or for a callable without one a name with a random part.
        task_id: the same as ``id``.
        inject_context: pass a `TaskExecutionContext` as the first argument.
        inject_llm_client: pass the run's LLM client, as ``llm_client`` or, where nothing is called so, as the first
            argument; needs ``graflow-fast[graflow]``.
        inject_llm_agent: the name of the LLM agent to pass, likewise, as ``llm_agent``.
        handler: who runs the body: ``"direct"`` (the calling thread), ``"thread"``, ``"process"`` or a name registered
            with `WorkflowEngine.register_handler`; None (default) follows the run's ``executor``.
        resolve_keyword_args: fill open parameters from the channel (default True).
        max_cycles: how often the task may run in a loop; None (default): the run's limit, 10.
        max_retries: how often a failed attempt is repeated; None (default): the run's limit, 0.
        retry_policy: how long to wait before each repetition; gives ``max_retries`` too.
        retry_on: with ``max_retries``, which exceptions are followed by a repetition: a class, a tuple of classes, or a
            function of the exception; None (default): all. With a ``retry_policy``, that says so.
        give_up_on: which are not, even if ``retry_on`` names them; likewise; None (default): none.
        timeout: seconds an attempt may take before its process is killed; None (default): no limit.
        memory_limit: bytes, or a text such as ``"512MB"``, that an attempt's process may hold; None (default): none.
        priority: who starts first under ``schedule="parallel"``; higher first, default 0.
        max_concurrency: how many attempts of this task may run at once; None (default): no limit.
        cpus: cores that an attempt takes: it starts when so many of the run's are free (default: as many as there are
            to use), and libraries are told to use as many threads; None (default): none are counted.
        memory: memory that it takes, in bytes or as ``"4GB"``, of all there is; `memory_limit` stops what takes more.
        gpus: whole GPUs that it takes: ``CUDA_VISIBLE_DEVICES`` names them while the body runs.
        resources: what else it takes, as ``{"license": 1}``; ``execute(resources=...)`` says how much there is.
        transient: a durable run does not write its result down, but calls it again in a process that goes on, when
            somebody reads the result: for connections and models; default False.
        cache: keep results beside the store of runs, and take them from there in later runs as long as the task's code,
            what that uses of your own files, its arguments and what it reads of the run are the same; default False.
        version: with ``cache``, stands for the code: results are good until it changes; None (default): the code.
        depends: with ``cache``, what else counts, one thing or a list: functions, classes and modules by what they do,
            a `pathlib.Path` by the content of its file, all else by its value; None (default): nothing.

    Raises:
        ConfigError: an option that is not supported, or a value out of range.
        TypeError: what is decorated is no function, two different ids are given, or there is no such option.
    """
    if unknown:
        raise _no_such_option(next(iter(unknown)))
    names = [name for name in (id_or_func if isinstance(id_or_func, str) else None, id, task_id) if name is not None]
    if len(set(names)) > 1:
        raise TypeError(f"@task got two different ids: {names[0]!r} and {names[1]!r}")

    def decorate(func: Callable[..., Any]) -> TaskWrapper:
        try:
            return make(func)
        except (GraflowError, TypeError) as error:
            show_user_lines(error)
            raise

    def make(func: Callable[..., Any]) -> TaskWrapper:
        if not callable(func):
            raise TypeError(f"@task decorates a function, not {type(func).__name__}")
        name = names[0] if names else getattr(func, "__name__", None)
        is_named = bool(names) or name not in (None, "<lambda>")
        if name is None:  # a partial or a callable object; there may be several of its kind
            name = f"{type(func).__name__}_{os.urandom(4).hex()}"
        injected = None
        if inject_llm_client or inject_llm_agent:
            from graflow_fast.core.services import injection

            injected = injection(name, inject_llm_client, inject_llm_agent)
        demand = None
        if cpus is not None or memory is not None or gpus is not None or resources is not None:
            from graflow_fast.core.resources import demand_of

            demand = demand_of(cpus, memory, gpus, resources)
        definition = Definition.of(
            func,
            bool(inject_context),
            bool(resolve_keyword_args),
            handler=handler,
            max_cycles=max_cycles,
            max_retries=max_retries,
            retry_policy=_policy(name, retry_policy, max_retries, retry_on, give_up_on),
            timeout=timeout,
            memory_limit=memory_limit,
            priority=priority,
            max_concurrency=max_concurrency,
            resources=demand,
            transient=transient or None,
            cache=_cached(name, is_named, cache, handler, version, depends, injected),
            injected=injected,
        )
        made = TaskWrapper(name, definition)
        made.__dict__.update(definition.shown)
        return made

    if id_or_func is None or isinstance(id_or_func, str):
        return decorate
    return decorate(id_or_func)


def _cached(
    name: str,
    is_named: bool,
    cache: bool,
    handler: str | None,
    version: Any,
    depends: Any,
    injected: tuple[bool, str | None] | None,
) -> tuple[Any, tuple[Any, ...]] | None:
    """Return what a definition says of its cache.

    Raises:
        ConfigError: it can't be cached so, or there is an option of a cache without one.
    """
    if type(cache) is not bool:
        raise ConfigError(f"Task '{name}': cache={cache!r} must be True or False; what stands for the code is version=")
    if not cache:
        if version is None and depends is None:
            return None
        option = "depends" if version is None else "version"
        raise ConfigError(f"Task '{name}': {option}= belongs to cache=True, which it does not have")
    if handler not in (None, "direct", "thread", "process"):
        raise ConfigError(
            f"Task '{name}': cache=True and handler='{handler}' don't go together, since what that handler does with "
            "the body isn't known; cache a task that it calls, or leave one of them out"
        )
    if injected is not None:
        raise ConfigError(
            f"Task '{name}': cache=True and an injected LLM don't go together, since what its answers depend on isn't "
            "known; cache a task that prepares what is asked, or leave one of them out"
        )
    if version is not None:
        if not isinstance(version, (str, int)):
            raise ConfigError(f"Task '{name}': version={version!r} must be a text or a whole number")
        if not is_named:
            raise ConfigError(
                f"Task '{name}': version= stands for the code of something with a name, which this has not; "
                "give it an id: @task(id=..., cache=True, version=...)"
            )
        version = name, version
    if isinstance(depends, (list, tuple, set, frozenset)):
        return version, tuple(depends)
    return version, () if depends is None else (depends,)


#: What else options are called elsewhere.
_CALLED_ELSEWHERE = {
    "retries": "max_retries",
    "retry": "max_retries",
    "num_retries": "max_retries",
    "tries": "max_retries",
    "attempts": "max_retries",
    "max_attempts": "max_retries",
    "retry_delay": "retry_policy",
    "retry_delay_seconds": "retry_policy",
    "backoff": "retry_policy",
    "exceptions": "retry_on",
    "retry_exceptions": "retry_on",
    "name": "id",
    "timeout_seconds": "timeout",
    "memory": "memory_limit",
    "executor": "handler",
    "cache_version": "version",
    "memoize": "cache",
    "persist": "cache",
}


def _no_such_option(name: str) -> TypeError:
    from graflow_fast._hints import did_you_mean

    known = _CALLED_ELSEWHERE.get(name)
    options = list(task.__kwdefaults__ or ())
    hint = f"Did you mean '{known}'?" if known else did_you_mean(name, options) or f"There are: {', '.join(options)}"
    return TypeError(f"@task got an unexpected keyword argument '{name}'. {hint}")


def _policy(
    name: str,
    policy: RetryPolicy | None,
    max_retries: int | None,
    retry_on: Errors | None,
    give_up_on: Errors | None,
) -> RetryPolicy | None:
    """Return the policy of a task, made of its other options if need be.

    Raises:
        ConfigError: they contradict each other, or don't say how often the task is repeated.
    """
    if retry_on is None and give_up_on is None:
        return policy
    option = "give_up_on" if retry_on is None else "retry_on"
    if policy is not None:
        raise ConfigError(f"Task '{name}': {option} belongs into its retry_policy: RetryPolicy(..., {option}=...)")
    if max_retries is None:
        raise ConfigError(
            f"Task '{name}': {option} says after what it is repeated; say how often, too: max_retries=..."
        )
    from graflow_fast.core.definition import whole
    from graflow_fast.core.retry import RetryPolicy as Policy

    often = whole(max_retries, "max_retries") or 0
    return Policy(max_retries=often, initial_interval=0.0, retry_on=retry_on, give_up_on=give_up_on)
