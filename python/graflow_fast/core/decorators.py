"""The ``@task`` decorator in all its spellings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from graflow_fast.core.retry import RetryPolicy


@overload
def task(id_or_func: Callable[..., Any]) -> TaskWrapper: ...


@overload
def task(
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
    timeout: float | None = None,
    memory_limit: int | str | None = None,
    priority: int = 0,
    max_concurrency: int | None = None,
) -> Callable[[Callable[..., Any]], TaskWrapper]: ...


def task(
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
    timeout: float | None = None,
    memory_limit: int | str | None = None,
    priority: int = 0,
    max_concurrency: int | None = None,
) -> Any:
    """Make a task of a function: ``@task``, ``@task()``, ``@task("id")`` or ``@task(option=...)``.

    Args:
        id_or_func: the function, or the task's id.
        id: the task's id; default: the function's name, or for a callable without one a name with a random part.
        task_id: the same as ``id``.
        inject_context: pass a `TaskExecutionContext` as the first argument.
        inject_llm_client: refused; LLMs belong to ``graflow``.
        inject_llm_agent: refused; LLMs belong to ``graflow``.
        handler: who runs the body: ``"direct"`` (the calling thread), ``"thread"``, ``"process"`` or a name registered
            with `WorkflowEngine.register_handler`; None (default) follows the run's ``executor``.
        resolve_keyword_args: fill open parameters from the channel (default True).
        max_cycles: how often the task may run in a loop; None (default): the run's limit, 10.
        max_retries: how often a failed attempt is repeated; None (default): the run's limit, 0.
        retry_policy: how long to wait before each repetition; gives ``max_retries`` too.
        timeout: seconds an attempt may take before its process is killed; None (default): no limit.
        memory_limit: bytes, or a text such as ``"512MB"``, that an attempt's process may hold; None (default): none.
        priority: who starts first under ``schedule="parallel"``; higher first, default 0.
        max_concurrency: how many attempts of this task may run at once; None (default): no limit.

    Raises:
        ConfigError: an option that is not supported, or a value out of range.
        TypeError: what is decorated is no function, or two different ids are given.
    """
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
        if name is None:  # a partial or a callable object; there may be several of its kind
            name = f"{type(func).__name__}_{os.urandom(4).hex()}"
        Definition.refuse_llm(name, inject_llm_client, inject_llm_agent)
        definition = Definition(
            func,
            inject_context=inject_context,
            handler=handler,
            resolve_keyword_args=resolve_keyword_args,
            max_cycles=max_cycles,
            max_retries=max_retries,
            retry_policy=retry_policy,
            timeout=timeout,
            memory_limit=memory_limit,
            priority=priority,
            max_concurrency=max_concurrency,
        )
        made = TaskWrapper(name, definition)
        made.__dict__.update(definition.shown)
        return made

    if id_or_func is None or isinstance(id_or_func, str):
        return decorate
    return decorate(id_or_func)
