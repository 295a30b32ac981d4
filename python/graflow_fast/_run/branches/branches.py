"""A branch and a fork of a run: what each sees and wrote, how it ended, and the replay at the join.

Owns the run's record of one; which there are is `table`'s, which of them may run the scheduler's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graflow_fast._body.output import ForkOutput, OutputStream
from graflow_fast._body.scope import BranchChannel, LiveStore, Operation, replay
from graflow_fast._messages import message_of
from graflow_fast._places.placement import of_backend
from graflow_fast._run.branches.additions import Additions
from graflow_fast._run.branches.foreign import as_root
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core.graph_view import GraphView

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._core import Branches
    from graflow_fast._run.branches.kept import Members
    from graflow_fast._run.branches.unseen import UnseenContext
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.composition import ParallelGroup
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskResult
    from graflow_fast.core.task import Executable

    class Nodes(Protocol):
        """The nodes of the run: their names by number, and what becomes of those that members add."""

        names: list[str]

        def names_added_around(self, branch: Branch) -> list[str]:
            """Return the names that a branch, and those around it, have added so far."""

        def note(self, nodes: list[int], additions: Additions) -> None:
            """Note that a branch added these nodes, in that order."""

        def additions(self, nodes: list[int]) -> Additions:
            """Return the record of a branch that added these nodes and nothing else."""

        def adopt(self, additions: Additions, parent: Branch) -> None:
            """Let the branch around a member's know what the member added."""


class Branch:
    """One FIFO run: the workflow's own (``fork`` is None) or a member's.

    Attributes:
        context: the execution context that its bodies see, made when first asked for.
        failure: the error that ended it, if one did.
        placement: where its group said that bodies run, None to follow the run's executor.
        additions: what it added to the graph, None for nothing; the workflow's own branch adds to the graph itself.
    """

    __slots__ = (
        "_channel",
        "_context",
        "_graph",
        "_output",
        "_shown",
        "additions",
        "failure",
        "fork",
        "id",
        "index",
        "placement",
    )

    def __init__(
        self, branch_id: int, fork: Fork | None, index: int, placement: str | None, shown: UnseenContext | None = None
    ) -> None:
        self.id = branch_id
        self.fork = fork
        self.index = index
        self.placement = placement
        self.failure: BaseException | None = None
        self.additions: Additions | None = None
        self._context: ExecutionContext | None = None
        #: The context that a tracer has been shown before there was this record.
        self._shown = shown
        self._graph: GraphView | None = None
        self._channel: Channel | None = None
        self._output: OutputStream | None = None

    @property
    def context(self) -> ExecutionContext:
        """The execution context of this branch."""
        if self._context is None:
            assert self.fork is not None
            parent, shown = self.fork.parent.context, self._shown
            tracer = None if shown is None else shown.tracer
            made = parent.create_branch_context(self.fork.member_name(self.index), self.channel, tracer)
            made._group = self.fork.group_name
            made.graph = self.graph
            if shown is not None:
                shown.become(made)
                made = shown
            self._context = made
        return self._context

    @property
    def graph(self) -> TaskGraph:
        """The graph as this branch sees it."""
        if self.fork is None:
            return self.context.graph
        if self._graph is None:
            self._graph = GraphView(self.fork.parent.graph, self.own_additions().changes)
        return self._graph

    def own_additions(self) -> Additions:
        """Return the record of what this branch adds to the graph."""
        if self.additions is None:
            self.additions = Additions()
        return self.additions

    @property
    def channel(self) -> Channel:
        """What this branch sees of the channel."""
        if self._channel is None:
            assert self.fork is not None
            parent = self.fork.parent
            name = f"{parent.channel.name}_{self.fork.member_name(self.index)}"
            self._channel = self.fork.live.branch_channel(name, parent.channel, self.fork.live)
        return self._channel

    @property
    def output(self) -> OutputStream:
        """Where its bodies' output goes."""
        if self._output is None:
            self._output = OutputStream() if self.fork is None else self.fork.output.stream(self.index)
        return self._output

    def flows(self) -> bool:
        """Say whether all that comes before it in order has been shown, so that what it says may be shown at once."""
        if self.fork is not None:
            self.fork.end_kept()
            self.fork.parent.flows()
        return self.output.flowing()

    def refuse(self) -> None:
        """End bodies that use the channel from now on: nothing that they do counts any more."""
        if isinstance(self._channel, BranchChannel):
            self._channel.refuse()

    def commit(self) -> None:
        """Let others see what was written: nothing to do but where tasks of one branch run beside each other."""

    def show_output_up_to_here(self) -> None:
        """Show what this branch, and all before it, have said: nothing more will come."""
        if self.fork is not None:
            self.fork.parent.show_output_up_to_here()
            self.fork.end_kept()
            self.fork.output.show_up_to(self.index)

    def log(self) -> list[Operation]:
        """Return what it wrote."""
        return self._channel.log if isinstance(self._channel, BranchChannel) else []


class RootBranch(Branch):
    """The workflow's own branch, which writes to the run's channel directly."""

    __slots__ = ()

    def __init__(self, context: ExecutionContext) -> None:
        super().__init__(0, None, 0, None)
        self._context = context
        self._channel = as_root(context.channel)


class Fork:
    """A group that is running.

    Attributes:
        ticket: of the group's activation; group: the executable; parent: the branch that it runs in.
        first: the id of its first branch; nodes: its members' nodes.
    """

    def __init__(
        self,
        ticket: int,
        group: ParallelGroup,
        parent: Branch,
        first: int,
        nodes: list[int],
        table: Nodes,
        live: LiveStore,
        live_output: bool,
    ) -> None:
        self.ticket = ticket
        self.group = group
        self.group_name: str = group.task_id
        self.parent = parent
        self.first = first
        self.nodes = nodes
        self._table = table
        self._names = table.names
        self.live = live
        self.output = ForkOutput(parent.output, live_output)
        self.started = time.time()
        self.logs: dict[int, list[Operation]] = {}
        self.errors: dict[int, BaseException] = {}
        self.cycles: dict[int, dict[str, int]] = {}
        self.additions: dict[int, Additions] = {}
        #: The key of the view that workers were told of.
        self.view: int | None = None
        #: What keeps what members did as long as there is no record of them here.
        self.core: Branches
        #: The node whose completion started the group, -1 for none.
        self.cause = -1
        #: The group's own node, and what a checkpoint kept of its members, None for nothing.
        self.node = -1
        self.restored: Members | None = None
        #: Under which keys its members have left results in the parent, None when nobody wants to know.
        self.left: set[str] | None = None

    @property
    def tasks(self) -> list[Executable]:
        """The members, in order."""
        return self.group.tasks

    @property
    def placement(self) -> str | None:
        """Where it, or a group around it, said that members run; None when none did."""
        return of_backend(self.group._execution_config.get("backend"), self.parent)

    @property
    def begins_again(self) -> bool:
        """Whether a checkpoint kept something of its members, so that some may have ended before."""
        return self.restored is not None

    def names_around(self) -> list[str]:
        """Return the names that the branches around it have added to the graph."""
        return self._table.names_added_around(self.parent)

    @property
    def members(self) -> list[str]:
        """The members' names, in order."""
        return [self._names[node] for node in self.nodes]

    def note_added(self, branch: Branch, nodes: list[int]) -> None:
        """Note that a member's branch has added these nodes."""
        self._table.note(nodes, branch.own_additions())

    def member_name(self, index: int) -> str:
        """Return the name of a member."""
        return self._names[self.nodes[index]]

    def end_branch(self, branch: Branch | None, index: int, ok: bool) -> None:
        """Keep a branch's writes for the join, or drop them when it failed."""
        if branch is not None:
            if ok:
                log = branch.log()
                if log:
                    self.logs[index] = log
                if branch.additions is not None and branch.additions.changes:
                    self.additions[index] = branch.additions
                if branch._context is not None:
                    self.cycles[index] = branch._context.cycle_controller.cycle_counts
            else:
                self.errors[index] = branch.failure or RuntimeError("the branch ended without saying why")
        self.output.end(index)

    def stop_after(self, index: int) -> None:
        """Note that the run ends with this member: later ones never ran."""
        self.end_kept()
        self.output.cut(index)

    def end_kept(self) -> None:
        """Take note of the members that ended without a record since the last call: it may be the next one's turn."""
        for index in self.core.take_ended(self.first):
            self.output.end(index)

    def flows(self, index: int) -> bool:
        """Say whether all that comes before a member in order has been shown, so that it may print at once."""
        self.end_kept()
        return self.parent.flows() and self.output.flows(index)

    def done(self) -> dict[int, tuple[list[Operation], dict[str, int]]]:
        """Return what the members that have ended wrote and how often their tasks started; the group goes on."""
        done = {index: (log, self.cycles.get(index, {})) for index, log in self.logs.items()}
        for index, (log, started, added) in self.core.done(self.first):
            if not added:
                done[index] = log, started
        return done

    def replay(self, count: int) -> None:
        """Do the writes of the first ``count`` members on the parent's channel in order; it learns what they added."""
        channel = self.parent.channel
        counts = self.parent.context.cycle_controller.cycle_counts
        if self.output.streams:
            self.end_kept()
        if self.parent.fork is None and type(channel) is MemoryChannel and not channel.ttl_data and not self.live.keys:
            told = self.logs.keys() | self.cycles.keys() | self.additions.keys()
            others = sorted(index for index in told if index < count)
            self.core.store(self.first, count, counts, others, self._replay_one, self.left)
            return
        for index, (log, started, added) in self.core.close(self.first):
            self.logs[index] = log
            self.cycles[index] = started
            if added:
                self.additions[index] = self._table.additions(added)
        for index in range(count):
            self._replay_one(index)

    def _replay_one(self, index: int) -> None:
        additions = self.additions.pop(index, None)
        if additions is not None:
            self._table.adopt(additions, self.parent)
        log = self.logs.pop(index, None)
        if log is not None:
            if self.left is not None:
                self.left.update(key for _, key, _, _ in log if str(key).endswith(".__result__"))
            replay(log, self.parent.channel, self.live)
        cycles = self.cycles.pop(index, None)
        if cycles is not None:
            self.parent.context.cycle_controller.cycle_counts.update(cycles)

    def results(self) -> dict[str, TaskResult]:
        """Return what the policy is asked about: each member's success, in member order."""
        from graflow_fast.core.handler import TaskResult  # a dataclass: slow to import

        now = time.time()
        return {
            name: TaskResult(
                task_id=name,
                success=index not in self.errors,
                error=_as_exception(self.errors.get(index)),
                error_message=message_of(self.errors[index]) if index in self.errors else None,
                duration=now - self.started,
                timestamp=now,
            )
            for index, name in enumerate(self.members)
        }


def _as_exception(error: BaseException | None) -> Exception | None:
    return error if isinstance(error, Exception) else None
