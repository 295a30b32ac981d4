"""What the instructions of a function do to names: which it sets, which attributes it stores, and what it reads before.

Owns reading bytecode, raw and fast: taking a function apart with `dis` takes a millisecond. Knows nothing of values.
"""

from __future__ import annotations

import opcode
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any

_CODE: Any = type((lambda: None).__code__)

_EXTENDED_ARG = opcode.opmap["EXTENDED_ARG"]
_CACHE = opcode.opmap.get("CACHE", -1)
#: Names whose argument has flags in its lowest bits.
_SHIFTS = {
    "LOAD_GLOBAL": 1 if sys.version_info >= (3, 11) else 0,
    "LOAD_ATTR": 1 if sys.version_info >= (3, 12) else 0,
}
_NAMED = {
    opcode.opmap[name]: (name, _SHIFTS.get(name, 0))
    for name in (
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "LOAD_ATTR",
        "STORE_ATTR",
        "DELETE_ATTR",
        "LOAD_METHOD",
    )
    if name in opcode.opmap
}
_CELLS = {opcode.opmap[name]: name for name in ("LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF") if name in opcode.opmap}
_SETS = frozenset(("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF"))


class Operations:
    """What some functions do.

    Attributes:
        rebound: globals and variables of enclosing functions that are set or deleted.
        stored: attributes that are stored or deleted, of whatever object.
        stored_in: (name, attribute): those stored right in what a global or an enclosing function's variable names.
        lazy: names and attributes that one and the same function reads before it sets them.
    """

    def __init__(self) -> None:
        self.rebound: set[str] = set()
        self.stored: set[str] = set()
        self.stored_in: set[tuple[str, str]] = set()
        self.lazy: set[str] = set()

    def add(self, code: CodeType) -> None:
        """Add what a function does, and those defined in it."""
        read: set[str] = set()
        before = None
        for operation, name in _operations(code):
            if operation is None:
                before = None
                continue
            if operation in _SETS:
                self.rebound.add(name)
            elif operation in ("STORE_ATTR", "DELETE_ATTR"):
                self.stored.add(name)
                if before is not None:
                    self.stored_in.add((before, name))
            else:
                read.add(name)
            if operation.startswith("STORE") and name in read:
                self.lazy.add(name)
            before = name if operation in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF") else None
        for constant in code.co_consts:
            if isinstance(constant, _CODE):
                self.add(constant)


def _operations(code: CodeType) -> Iterator[tuple[str | None, str]]:
    """Return the operations with names; None for each other one."""
    cells = _cell_names(code)
    instructions = code.co_code
    argument = 0
    for operation, low in zip(instructions[::2], instructions[1::2], strict=True):
        argument = argument << 8 | low
        if operation == _EXTENDED_ARG:
            continue
        named = _NAMED.get(operation)
        if named is not None:
            yield named[0], code.co_names[argument >> named[1]]
        elif operation in _CELLS:
            yield _CELLS[operation], cells[argument]
        elif operation != _CACHE:
            yield None, ""
        argument = 0


def _cell_names(code: CodeType) -> tuple[str, ...]:
    if sys.version_info < (3, 11):
        return code.co_cellvars + code.co_freevars
    only_cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return code.co_varnames + only_cells + code.co_freevars
