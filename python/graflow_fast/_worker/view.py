"""What tasks are told of the channel in advance: a view, loaded once for all tasks that name it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class View:
    """The channel as it was when a group forked (or a task of the workflow's own branch started).

    Attributes:
        initializer: the key of what is called once before a body runs here, 0 for nothing.
        shared: whether all tasks that name this view see the same values, so what one read serves the others.
        program: number and content of what the program has set for its process.
        values: key -> value as bytes, None for a key that is not there.
    """

    __slots__ = (
        "default_max_cycles",
        "default_max_retries",
        "group_count",
        "initializer",
        "program",
        "scope_name",
        "seed",
        "session_id",
        "shared",
        "trace_id",
        "values",
    )

    def __init__(
        self,
        shared: bool,
        session_id: str,
        trace_id: str,
        scope_name: str,
        default_max_cycles: int,
        default_max_retries: int,
        seed: Any,
        program: tuple[int, bytes],
        initializer: int,
        values: dict[str, bytes | None],
    ) -> None:
        self.shared = shared
        self.session_id = session_id
        self.trace_id = trace_id
        self.scope_name = scope_name
        self.default_max_cycles = default_max_cycles
        self.default_max_retries = default_max_retries
        self.seed = seed
        self.program = program
        self.initializer = initializer
        self.values = values
