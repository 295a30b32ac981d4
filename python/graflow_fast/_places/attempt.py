"""What places carry: an attempt of a body, the branch and the group it runs in, and a chunk of a map's items.

Contracts only, for type checking: what a place may see of them, and how it says what became of them. The run has the
classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from graflow_fast._body.output import OutputStream, Piece
    from graflow_fast._body.scope import Operation
    from graflow_fast._places.process.live_journal import Done, Part
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.mapping import MapTask
    from graflow_fast.core.task import Executable

#: What a body asked for, as it said it; None for nothing.
Asked = Sequence[tuple[Any, ...]] | None


class Branch(Protocol):
    """What bodies see: a branch of the run.

    Attributes:
        placement: where its group said that bodies run, None to follow the run's executor.
    """

    id: int
    index: int
    placement: str | None

    @property
    def fork(self) -> Fork | None:
        """The group whose member's branch it is, None for the workflow's own branch."""

    @property
    def context(self) -> ExecutionContext:
        """The execution context of its bodies."""

    @property
    def channel(self) -> Channel:
        """What they see of the channel."""

    @property
    def graph(self) -> TaskGraph:
        """The graph as they see it."""

    @property
    def output(self) -> OutputStream:
        """Where their output goes."""

    def flows(self) -> bool:
        """Say whether all that comes before it in order has been shown, so that what it says may be shown at once."""

    def refuse(self) -> None:
        """End bodies that use the channel from now on: nothing that they do counts any more."""


class Fork(Protocol):
    """A group that is running.

    Attributes:
        first: the id of its first branch; nodes: its members' nodes.
        view: the key of what workers were told of the channel, None for nothing.
    """

    first: int
    nodes: list[int]
    view: int | None

    @property
    def parent(self) -> Branch:
        """The branch that the group runs in."""

    @property
    def placement(self) -> str | None:
        """Where it, or a group around it, said that members run; None when none did."""

    @property
    def tasks(self) -> list[Executable]:
        """Its members."""

    @property
    def begins_again(self) -> bool:
        """Whether a checkpoint kept something of its members, so that some may have ended before."""

    def flows(self, index: int) -> bool:
        """Say whether all that comes before a member in order has been shown."""

    def member_name(self, index: int) -> str:
        """Return the name of a member."""

    def names_around(self) -> list[str]:
        """Return the names that the branches around it have added to the graph."""


class Attempt(Protocol):
    """An attempt to run a body, of a task or of some items of a map.

    Attributes:
        number: which attempt it is, from 0.
        task_id: the name it runs under (an iteration has its own); base_id: the node's name.
        started, ended: of the body, in seconds since the epoch; 0 for not (yet) known.
    """

    ticket: int
    number: int
    task: Executable
    task_id: str
    base_id: str
    started: float
    ended: float

    @property
    def branch(self) -> Branch:
        """The branch that it runs in."""

    @property
    def victim(self) -> tuple[int, ...]:
        """What the death of its worker is counted against: a node in its branch, or an item of a map."""

    def said(self, pieces: list[Piece]) -> None:
        """Take what the body had said when it was lost."""

    def returned(self, result: Any, asked: Asked) -> None:
        """Apply what the body returned and asked for; its writes have been applied already."""

    def failed(self, error: BaseException, least_delay: float = 0.0, is_final: bool = False) -> None:
        """Note that the body failed; what becomes of that is a matter of its policy.

        Args:
            error: what it raised, or what stands for that.
            least_delay: seconds to wait before it is repeated, if its policy does not ask for more.
            is_final: another attempt would only repeat it.
        """


class TaskAttempt(Attempt, Protocol):
    """An attempt of a task.

    Attributes:
        call: what an iteration is called with, `NOTHING` for others.
        cause: the node whose completion started it, -1 for none.
        tag: the scheduler's for an iteration or a task in another one's place, 0 for others.
        handled: whether a registered handler ran it, which stores results itself.
    """

    node: int
    call: Any
    cause: int
    tag: int
    handled: bool

    def prepare(self) -> ExecutionContext:
        """Count it and tell the tracer that it starts; return the context that the body sees."""


class Chunk(Attempt, Protocol):
    """Items of a map that are run one after the other; what is returned of them is an `Outcome`.

    Attributes:
        size: how many there are; one when an item is run again.
        branch: what its items see, where that is not the map's own branch.
    """

    size: int
    branch: Branch

    @property
    def first(self) -> int:
        """The index in the map of the first of them."""

    @property
    def items(self) -> list[Any]:
        """The items."""

    @property
    def is_oldest(self) -> bool:
        """Whether no item before it is under way or waits to be tried again."""

    @property
    def prior(self) -> list[Operation] | None:
        """What failed attempts of its single item wrote, None for nothing."""

    def show_said(self) -> None:
        """Show what earlier attempts of its items had to keep, now that nothing before them is left to be shown."""

    def measured(self, count: int, seconds: float, size: int) -> None:
        """Learn how long so many of its items took, and how many bytes went in or out."""

    def cut(self, size: int) -> None:
        """Give back the items from that position on, which were not run."""

    def split(self) -> None:
        """Have each item run anew on its own; it is still the same attempt of them."""

    def lost(self, done: dict[Part, Done]) -> None:
        """Do so because the worker is lost, with which the items had done this to live keys."""

    def take_done(self) -> tuple[Part, Done] | None:
        """Return what its single item had done to live keys in a chunk that was lost, None for nothing."""


class Map(Protocol):
    """A map under way.

    Attributes:
        name: its id; items are ``name[index]``.
        detailed: whether the times of each item are wanted.
    """

    name: str
    task: MapTask
    definition: Definition
    detailed: bool

    @property
    def attempt(self) -> TaskAttempt:
        """The map's own attempt."""
