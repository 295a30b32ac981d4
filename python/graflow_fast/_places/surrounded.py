"""Bodies of this process with what is around them: resources that they take, and the cache that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body import resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast.core.definition import Definition

__all__ = ["body_of"]


def body_of(definition: Definition, session: str) -> Callable[..., Any]:
    """Return how to call a body.

    Args:
        definition: its task's definition.
        session: the run's session.
    """
    if definition.cache is None:
        return resources.body_of(definition, session)
    from graflow_fast._cache import body
    from graflow_fast._cache.here import Here

    return body.body_of(definition, session, Here())
