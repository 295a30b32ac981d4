"""Forks and branches of a run: what each sees and wrote, how it ended, and the replay at the join.

Owns the driver's record of a branch; the scheduler owns which of them may run.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from graflow_fast._run.additions import Additions
from graflow_fast._run.foreign import as_root
from graflow_fast._run.output import ForkOutput, OutputStream
from graflow_fast._run.packing import load_packed
from graflow_fast._run.scope import BranchChannel, LiveStore, Operation, replay
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core.graph_view import GraphView

if TYPE_CHECKING:
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.handler import TaskResult


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
        "additions",
        "failure",
        "fork",
        "id",
        "index",
        "placement",
    )

    def __init__(self, branch_id: int, fork: Fork | None, index: int, placement: str | None) -> None:
        self.id = branch_id
        self.fork = fork
        self.index = index
        self.placement = placement
        self.failure: BaseException | None = None
        self.additions: Additions | None = None
        self._context: ExecutionContext | None = None
        self._graph: GraphView | None = None
        self._channel: Channel | None = None
        self._output: OutputStream | None = None

    @property
    def context(self) -> ExecutionContext:
        """The execution context of this branch."""
        if self._context is None:
            assert self.fork is not None
            parent = self.fork.parent.context
            self._context = parent.create_branch_context(self.fork.member_name(self.index), self.channel)
            self._context._group = self.fork.group_name
            self._context.graph = self.graph
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
            self._channel = BranchChannel(name, parent.channel, self.fork.live)
        return self._channel

    @property
    def output(self) -> OutputStream:
        """Where its bodies' output goes."""
        if self._output is None:
            self._output = OutputStream() if self.fork is None else self.fork.output.stream(self.index)
        return self._output

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
            self.fork.end_fed()
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
        group: Any,
        parent: Branch,
        first: int,
        nodes: list[int],
        table: NodeTable,
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
        #: The key of the view that workers were told of, and who runs its plain members (see `MemberFeed`).
        self.view: int | None = None
        self.feed: Any = None
        #: The node whose completion started the group, -1 for none.
        self.cause = -1

    @property
    def members(self) -> list[str]:
        """The members' names, in order."""
        return [self._names[node] for node in self.nodes]

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
        self.end_fed()
        self.output.cut(index)

    def end_fed(self) -> None:
        """Take note of the plain members that ended since the last call, for the order of output."""
        if self.feed is not None and self.output.streams:
            for index in self.feed.take_ended(self.first):
                self.output.end(index)

    def replay(self, count: int) -> None:
        """Do the writes of the first ``count`` members on the parent's channel in order; it learns what they added."""
        channel = self.parent.channel
        counts = self.parent.context.cycle_controller.cycle_counts
        if self.feed is not None:
            self.end_fed()
            outermost = self.parent.fork is None
            if outermost and type(channel) is MemoryChannel and not channel.ttl_data and not self.live.keys:
                told = self.logs.keys() | self.cycles.keys() | self.additions.keys()
                others = sorted(index for index in told if index < count)
                self.feed.store(self.first, count, channel.data, counts, _packed, channel, others, self._replay_one)
                return
            for index, (log, ran, added) in self.feed.close(self.first):
                self.logs[index] = [unpacked_write(write) for write in log]
                self.cycles[index] = dict.fromkeys(ran, 1)
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
                error_message=str(self.errors[index]) if index in self.errors else None,
                duration=now - self.started,
                timestamp=now,
            )
            for index, name in enumerate(self.members)
        }


class BranchTable:
    """The branches and forks under way, by the scheduler's branch ids."""

    def __init__(self, root: Branch) -> None:
        self.root = root
        self._branches: dict[int, Branch] = {0: root}
        self._forks: dict[int, Fork] = {}
        self._firsts: list[int] = []

    def add_fork(self, fork: Fork) -> None:
        """Note a group that started; its branches' ids follow each other from ``fork.first``."""
        self._forks[fork.first] = fork
        if not self._firsts or fork.first > self._firsts[-1]:
            self._firsts.append(fork.first)
        else:
            self._firsts.append(fork.first)
            self._firsts.sort()

    def branch(self, branch_id: int) -> Branch:
        """Return a branch, made when it is first asked for."""
        found = self._branches.get(branch_id)
        if found is None:
            fork = self.fork_of(branch_id)
            placement = self.placement_of(fork)
            found = self._branches[branch_id] = Branch(branch_id, fork, branch_id - fork.first, placement)
        return found

    def branch_of(self, context: ExecutionContext) -> Branch:
        """Return the branch whose bodies see this context; the workflow's own if there is none."""
        return next((branch for branch in self._branches.values() if branch._context is context), self.root)

    def placement_of(self, fork: Fork) -> str | None:
        """Return where a group, or a group around it, said that members run; None when none did."""
        return _group_placement(fork)

    def fork_of(self, branch_id: int) -> Fork:
        """Return the fork that a branch belongs to."""
        return self._forks[self._firsts[bisect_right(self._firsts, branch_id) - 1]]

    def fork(self, first: int) -> Fork:
        """Return the fork whose first branch has that id."""
        return self._forks[first]

    def take_branch(self, branch_id: int) -> Branch | None:
        """Forget a branch that ended; None when it never ran anything here."""
        return self._branches.pop(branch_id, None)

    def end_fork(self, fork: Fork) -> None:
        """Forget a fork that joined."""
        del self._forks[fork.first]
        self._firsts.remove(fork.first)


def _group_placement(fork: Fork) -> str | None:
    backend = fork.group._execution_config.get("backend")
    if backend is None:
        return fork.parent.placement
    name = getattr(backend, "name", str(backend)).upper()
    return {"DIRECT": "inline", "THREADING": "thread", "PROCESS": "process"}.get(name, fork.parent.placement)


def unpacked_write(write: tuple[str, str, bytes | None, float | None]) -> Operation:
    """Return an entry of a log whose values are bytes as one whose values are `Packed`."""
    operation, key, data, expires = write
    return operation, key, None if data is None else Packed(data, load_packed), expires


def _packed(data: bytes) -> Packed:
    return Packed(data, load_packed)


def _as_exception(error: BaseException | None) -> Exception | None:
    return error if isinstance(error, Exception) else None
