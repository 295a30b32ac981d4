"""The tables of all pools: each hears of what is gone, for it may have told its workers of it. Knows no parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from graflow_fast._places.process.definitions import DefinitionTable

#: Replaced, never changed, for the collector may ask at any moment.
_tables: tuple[ref[DefinitionTable], ...] = ()


def add_table(table: DefinitionTable) -> None:
    """Let a pool's table hear of what is gone."""
    global _tables
    _tables = (*(each for each in _tables if each() is not None), ref(table))


def tables() -> list[DefinitionTable]:
    """Return the tables of all pools."""
    return [table for each in _tables if (table := each()) is not None]


def gone(number: int) -> None:
    """Have all pools forget a part; called by the collector, too, in any thread and at any moment."""
    for reference in _tables:
        table = reference()
        if table is not None and number in table.told:
            table.gone.append(number)


def outdate(key: int, parts: Any) -> None:
    """Have all pools forget a key that stands for what was, with its parts, when nothing that waits may name it."""
    if key:
        for table in tables():
            if key in table.told:
                table.outdated.append((key, parts))
