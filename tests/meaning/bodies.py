"""Bodies that workers import: the same interpreter as in scripts, in functions that cross by name."""

from __future__ import annotations

from typing import Any

from .scripts import perform, speak


def none(me: str, steps: Any, returns: Any, counts: bool) -> Any:
    """No parameter but those of the script."""
    return perform(me, steps, returns, counts, None, speak, None, None, {})


def one(me: str, steps: Any, returns: Any, counts: bool, p: Any) -> Any:
    """One parameter that may stay open."""
    return perform(me, steps, returns, counts, None, speak, None, None, {"p": p})


def two(me: str, steps: Any, returns: Any, counts: bool, p: Any, q: Any) -> Any:
    """Two of them."""
    return perform(me, steps, returns, counts, None, speak, None, None, {"p": p, "q": q})


#: By the names of the parameters that are not the script's.
FUNCTIONS = {(): none, ("p",): one, ("p", "q"): two}
