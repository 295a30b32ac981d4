"""A running attempt, as the run knows it. What becomes of it is `outcomes`', where its body runs its place's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._body.output import Piece
    from graflow_fast._places.attempt import Asked
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

    class Owner(Protocol):
        """Who begins attempts and applies what becomes of them."""

        def prepare(self, attempt: Attempt) -> ExecutionContext:
            """Count the attempt and tell the tracer; return the context that the body sees."""

        def returned(self, attempt: Attempt, result: Any, asked: Asked) -> None:
            """Apply what a body returned and asked for."""

        def failed(self, attempt: Attempt, error: BaseException, least_delay: float, is_final: bool) -> None:
            """Note that a body failed."""


class Attempt:
    """A running attempt: what the driver needs to know when its outcome comes.

    Attributes:
        task_id: the name it runs under (an iteration has its own); base_id: the node's name.
    """

    __slots__ = (
        "_branch",
        "_find_branch",
        "_owner",
        "base_id",
        "call",
        "cause",
        "ended",
        "handled",
        "node",
        "number",
        "started",
        "tag",
        "task",
        "task_id",
        "ticket",
    )

    def __init__(
        self,
        owner: Owner,
        ticket: int,
        node: int,
        branch: Branch | Callable[[], Branch],
        number: int,
        task: Executable,
        base_id: str,
    ) -> None:
        self._owner = owner
        self.ticket = ticket
        self.node = node
        #: Found when it is first asked for: most who ask for an attempt have no use for its branch.
        self._branch: Branch | None = None
        self._find_branch = branch
        self.number = number
        self.task = task
        self.base_id = base_id
        self.task_id = base_id
        self.call: Any = NOTHING
        self.cause = -1
        self.tag = 0
        #: When the body started and ended, in seconds since the epoch; 0 for not (yet) known.
        self.started = 0.0
        self.ended = 0.0
        #: Whether a registered handler ran it, which stores results itself.
        self.handled = False

    @property
    def branch(self) -> Branch:
        """The branch that it runs in."""
        if self._branch is None:
            found = self._find_branch
            self._branch = found() if callable(found) else found
        return self._branch

    @property
    def victim(self) -> tuple[int, ...]:
        """What the death of its worker is counted against: its node in its branch."""
        return self.branch.id, self.node

    def prepare(self) -> ExecutionContext:
        """Count it and tell the tracer that it starts; return the context that the body sees."""
        return self._owner.prepare(self)

    def said(self, pieces: list[Piece]) -> None:
        """Take what the body had said when it was lost."""
        self.branch.output.write(pieces)

    def returned(self, result: Any, asked: Asked) -> None:
        """Apply what the body returned and asked for."""
        self._owner.returned(self, result, asked)

    def failed(self, error: BaseException, least_delay: float = 0.0, is_final: bool = False) -> None:
        """Note that the body failed."""
        self._owner.failed(self, error, least_delay, is_final)
