"""What a checkpoint keeps of a group that was under way: data alone. What is made of it is `restored`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_fast._body.scope import Operation


class Members:
    """What is kept of a group's members, by their places in it.

    Attributes:
        ended: writes and loop counts of those that had completed.
        begun: writes of the one that asked, if it is a member of this group.
        groups: what is kept of members that are groups.
    """

    __slots__ = ("begun", "ended", "groups")

    def __init__(self) -> None:
        self.ended: dict[int, tuple[list[Operation], dict[str, int]]] = {}
        self.begun: dict[int, list[Operation]] = {}
        self.groups: dict[int, Members] = {}
