"""Which engine is meant by what users give as ``executor=``: its name, an address, or an object of the engine's own.

Owns the way from there to a carrier. Knows no engine: each module of `carriers` says itself what it takes, and gives
the same carrier for one engine if its stations stay warm.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any

from graflow_fast._places.remote import carriers
from graflow_fast._places.remote.carrier import Carrier


def engine_names() -> list[str]:
    """Return the names of the engines there are: those that may be given as a text."""
    return [name for name, module in _modules() if getattr(module, "IS_NAMED", False)]


def carrier_of(value: Any) -> Carrier | None:
    """Return the engine that is meant; None when it is none.

    Raises:
        ConfigError: it is one, and can't be used.
        ImportError: its package is not installed.
    """
    if isinstance(value, str):
        name, _, _ = value.partition("://")
        for known, module in _modules():
            if known == name and getattr(module, "IS_NAMED", False):
                return _made(module, value)
        return None
    if all(hasattr(value, method) for method in ("addresses", "ask", "open", "close")):
        carrier: Carrier = value
        return carrier
    for _, module in _modules():
        made = _made(module, value)
        if made is not None:
            return made
    return None


def _made(module: ModuleType, value: Any) -> Carrier | None:
    made: Carrier | None = module.carrier_of(value)
    return made


def _modules() -> list[tuple[str, ModuleType]]:
    found = sorted(each.name for each in pkgutil.iter_modules(carriers.__path__) if not each.name.startswith("_"))
    return [(name, import_module(f"{carriers.__name__}.{name}")) for name in found]
