"""What a body of this process returned, once it is there: it may be async, or return something that is to be awaited.

Owns how such a result is told from others. Steps and bodies in workers are called in Rust, which does the same
(`rust/python/src/body/awaited.rs`); event loops are `coroutines`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def is_awaitable(result: Any) -> bool:
    """Say whether something that a body returned is to be awaited."""
    return hasattr(type(result), "__await__")


def awaited(result: Any) -> Any:
    """Return what a body returned; of what is to be awaited, what that gives."""
    if not hasattr(type(result), "__await__"):
        return result
    from graflow_fast._body.coroutines import outcome_of

    return outcome_of(result)


def awaiting(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that awaits what another one returns."""
    return lambda item: awaited(function(item))
