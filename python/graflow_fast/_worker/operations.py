"""What a function's instructions do to names: which it sets, which attributes it stores, and what it reads before.

Owns what is kept of it; reading instructions is `rust/python/src/wire/code.rs`'s: in Python it takes longer than all
else that is done for a function. Knows nothing of values.
"""

from __future__ import annotations

from graflow_fast._core import add_operations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


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
        add_operations(code, self.rebound, self.stored, self.stored_in, self.lazy)
