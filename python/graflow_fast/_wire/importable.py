"""Whether something crosses to a worker by its name alone, since it can be imported there. Knows no pickles."""

from __future__ import annotations

# A worker waits for these before its first task.
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_importable(obj: Any) -> bool:
    """Say whether a class, a function or the like is what its module has under its name."""
    module = getattr(obj, "__module__", None)
    if type(module) is not str or module in ("__main__", "__mp_main__") or is_sent_by_value(module):
        return False
    found: Any = sys.modules.get(module)
    for name in str(getattr(obj, "__qualname__", "")).split("."):
        found = getattr(found, name, None)
    return found is obj


def is_sent_by_value(module: str) -> bool:
    """Say whether the user has asked cloudpickle to send a module's content, or its package's, not its name."""
    cloudpickle = sys.modules.get("cloudpickle")
    asked = cloudpickle.list_registry_pickle_by_value() if cloudpickle is not None else ()
    return any(module == name or module.startswith(f"{name}.") for name in asked)


def is_importable_module(name: Any) -> bool:
    """Say whether a worker imports a module by that name: it is not the program's own file, nor sent by value."""
    return type(name) is str and name not in ("__main__", "__mp_main__") and not is_sent_by_value(name)
