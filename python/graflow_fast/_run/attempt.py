"""A running attempt, as the driver knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING

if TYPE_CHECKING:
    from graflow_fast._run.branches import Branch
    from graflow_fast.core.task import Executable


class Attempt:
    """A running attempt: what the driver needs to know when its outcome comes.

    Attributes:
        task_id: the name it runs under (an iteration has its own); base_id: the node's name.
    """

    __slots__ = (
        "base_id",
        "branch",
        "call",
        "cause",
        "ended",
        "handled",
        "lease",
        "node",
        "number",
        "started",
        "tag",
        "task",
        "task_id",
        "ticket",
    )

    def __init__(self, ticket: int, node: int, branch: Branch, number: int, task: Executable, base_id: str) -> None:
        self.ticket = ticket
        self.node = node
        self.branch = branch
        self.number = number
        self.task = task
        self.base_id = base_id
        self.task_id = base_id
        self.call: Any = NOTHING
        self.cause = -1
        self.tag = 0
        #: How many steps were sent together with it, itself included; 0 for none.
        self.lease = 0
        #: When the body started and ended, in seconds since the epoch; 0 for not (yet) known.
        self.started = 0.0
        self.ended = 0.0
        #: Whether a registered handler ran it, which stores results itself.
        self.handled = False
