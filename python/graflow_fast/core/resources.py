"""What a task takes while it runs, as ``@task(cpus=, memory=, gpus=, resources=)`` says it, and what a run has of it.

Owns names, units and their checks. Must not know who is admitted (the scheduler's), nor what a machine has.
"""

from __future__ import annotations

from graflow_fast.core.definition import parse_bytes
from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    #: (name, amount) each, by name; memory in bytes.
    Demand = tuple[tuple[str, float], ...]

#: The resources that every machine has, which a run counts by itself.
CPUS, MEMORY, GPUS = "cpus", "memory", "gpus"


def demand_of(cpus: Any, memory: Any, gpus: Any, resources: Mapping[str, Any] | None) -> Demand | None:
    """Return what a task takes, None for nothing.

    Raises:
        ConfigError: an amount is no positive number, of GPUs no whole one, or one name is given twice.
    """
    if cpus is None and memory is None and gpus is None and resources is None:
        return None
    named = {CPUS: cpus, MEMORY: memory, GPUS: gpus}
    given = {name: amount for name, amount in named.items() if amount is not None}
    for name, amount in _items(resources or {}):
        if name in given:
            raise ConfigError(f"{name} is given twice: {name}={given[name]!r} and resources={dict(resources or {})!r}")
        given[name] = amount
    amounts = {name: amount_of(name, amount) for name, amount in given.items()}
    return tuple(sorted((name, amount) for name, amount in amounts.items() if amount)) or None


def totals_of(resources: Any) -> dict[str, float]:
    """Return what ``execute(resources=...)`` says a run has.

    Raises:
        ConfigError: it is no mapping of names to amounts.
    """
    return {name: amount_of(name, amount) for name, amount in _items(resources)}


def amount_of(name: str, amount: Any) -> float:
    """Return an amount as a number.

    Raises:
        ConfigError: it is none, or below 0.
    """
    if name == MEMORY and amount != 0:
        try:
            size = parse_bytes(amount)
        except (ConfigError, TypeError):
            raise ConfigError(f"memory={amount!r} is not a size; write bytes or a text such as '512MB'") from None
        return float(size or 0)
    try:
        number = -1.0 if isinstance(amount, (bool, str)) else float(amount)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name}={amount!r} must be a number, 0 or more")
    if name == GPUS and number != int(number):
        raise ConfigError(f"gpus={amount!r} must be a whole number: a GPU is one task's at a time")
    return number


def shown(name: str, amount: float) -> str:
    """Return an amount as the user wrote it: ``cpus=2``, ``memory='4GB'``, ``resources={'license': 1}``."""
    if name == MEMORY:
        for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "KB")):
            if amount >= 1024**power:
                return f"memory='{amount / 1024**power:g}{unit}'"
        return f"memory={int(amount)}"
    return f"{name}={amount:g}" if name in (CPUS, GPUS) else f"resources={{{name!r}: {amount:g}}}"


def _items(resources: Any) -> list[tuple[str, Any]]:
    try:
        items = list(resources.items())
    except AttributeError:
        items = [(None, None)]
    if not all(isinstance(name, str) and name for name, _ in items):
        raise ConfigError(f"resources={resources!r} must be a dictionary of names and amounts, as {{'license': 1}}")
    return items
