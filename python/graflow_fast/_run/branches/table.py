"""The branches and forks under way, by the scheduler's branch ids.

Owns which records there are, and that a branch which gets one takes over what was done in it in the pool.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from graflow_fast._body.scope import replay
from graflow_fast._run.branches.branches import Branch, Fork
from graflow_fast._run.branches.unseen import UnseenContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._body.output import OutputStream
    from graflow_fast._core import Branches
    from graflow_fast._run.branches.concurrency import Concurrency
    from graflow_fast._run.branches.kept import Members
    from graflow_fast.core.context import ExecutionContext


class BranchTable:
    """The branches and forks under way, by the scheduler's branch ids."""

    def __init__(self, root: Branch, concurrency: Concurrency | None, make_core: Callable[[], Branches]) -> None:
        self.root = root
        #: What concurrent tasks of the workflow's own branch see of each other, None in a sequential run.
        self.concurrency = concurrency
        self._branches: dict[int, Branch] = {0: root}
        self._forks: dict[int, Fork] = {}
        #: By node: what a checkpoint kept of groups that are to begin again.
        self.restored: dict[int, Members] = {}
        #: What tracers were shown of branches without a record, by branch.
        self._shown: dict[int, UnseenContext] = {}
        self._firsts: list[int] = []
        self._make_core = make_core
        self._core: Branches | None = None

    @property
    def core(self) -> Branches:
        """What keeps what branches do as long as there is no record of them here; made for the first group, or pool."""
        if self._core is None:
            self._core = self._make_core()
        return self._core

    def end(self) -> None:
        """Let go of the core, which knows the records here."""
        if self._core is not None:
            self._core.end()

    def add_fork(self, fork: Fork) -> None:
        """Note a group that started; its branches' ids follow each other from ``fork.first``."""
        fork.core = self.core
        fork.core.open(fork.first, fork.nodes, fork.parent.id)
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
            shown = self._shown.pop(branch_id, None) if self._shown else None
            found = Branch(branch_id, fork, branch_id - fork.first, fork.placement, shown)
            self._branches[branch_id] = found
            self._take_over(found)
        return found

    def find(self, branch_id: int) -> Branch | None:
        """Return the record of a branch, None when the branch is over."""
        if branch_id in self._branches or self.core.keeps(branch_id):
            return self.branch(branch_id)
        return None

    def shown(self, branch_id: int) -> ExecutionContext:
        """Return the context of a branch to show it to a tracer, without making a record of the branch."""
        found = self._branches.get(branch_id)
        if found is not None:
            return found.context
        shown = self._shown.get(branch_id)
        if shown is None:
            shown = self._shown[branch_id] = UnseenContext(self.fork_of(branch_id), branch_id, self)
        return shown

    def start(self, branch_id: int, node: int, tag: int, number: int, version: int | None = None) -> Branch:
        """Return the branch that an activation of a node runs in; ``version`` of the channel, if it has begun."""
        if branch_id:
            return self.branch(branch_id)
        return self.root if self.concurrency is None else self.concurrency.start(node, tag, number, version)

    def _take_over(self, branch: Branch) -> None:
        """Let a branch have what was done in it so far; what is done from now on goes there."""
        kept = self.core.hand_over(branch.id, branch)
        if kept is None:
            return
        log, started, added = kept
        assert branch.fork is not None
        replay(log, branch.channel, branch.fork.live)
        branch.context.cycle_controller.cycle_counts.update(started)
        if added:
            branch.fork.note_added(branch, added)

    def output_of(self, branch_id: int) -> OutputStream:
        """Return where a branch's output goes, without a record of the branch."""
        found = self._branches.get(branch_id)
        if found is not None:
            return found.output
        fork = self.fork_of(branch_id)
        return fork.output.stream(branch_id - fork.first)

    def branch_of(self, context: ExecutionContext) -> Branch:
        """Return the branch whose bodies see this context; the workflow's own if there is none."""
        return next((branch for branch in self._branches.values() if branch._context is context), self.root)

    def fork_of(self, branch_id: int) -> Fork:
        """Return the fork that a branch belongs to."""
        return self._forks[self._firsts[bisect_right(self._firsts, branch_id) - 1]]

    def forks(self) -> list[Fork]:
        """Return the groups under way."""
        return list(self._forks.values())

    def fork(self, first: int) -> Fork:
        """Return the fork whose first branch has that id."""
        return self._forks[first]

    def take_branch(self, branch_id: int) -> Branch | None:
        """Forget a branch that ended; None when it has done nothing."""
        if branch_id not in self._branches and self.core.has_done(branch_id):
            self.branch(branch_id)
        found = self._branches.pop(branch_id, None)
        if found is not None:
            self.core.forget_branch(branch_id)
        return found

    def end_fork(self, fork: Fork) -> None:
        """Forget a fork that joined."""
        del self._forks[fork.first]
        self._firsts.remove(fork.first)
        if self._shown:
            for branch_id in range(fork.first, fork.first + len(fork.nodes)):
                self._shown.pop(branch_id, None)
