"""What concurrent tasks of `schedule="parallel"` see: the channel as it was when they started, plus their own writes.

Owns their branches, contexts and held output; which of them may run is the scheduler's, old values are `versions`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._body.output import OutputStream, Piece, show_all
from graflow_fast._body.scope import LiveStore, Operation, replay
from graflow_fast._body.versions import SnapshotChannel, Versions
from graflow_fast._run.branches.branches import Branch

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext


class HeldOutput(OutputStream):
    """Output that is shown as a whole when its task has ended."""

    __slots__ = ("_live",)

    def __init__(self, live: bool) -> None:
        super().__init__()
        self._live = live
        self.flows = False

    def write(self, pieces: list[Piece]) -> None:
        """Keep pieces until the end, or show them now when output is live."""
        self.held.extend(pieces)
        if self._live:
            self.release()

    def flowing(self) -> bool:
        """Say whether what is written is shown at once."""
        return self._live

    def release(self) -> None:
        """Show what was kept."""
        held, self.held = self.held, []
        show_all(held)


class ConcurrentBranch(Branch):
    """What one task (or group) of the workflow's own branch sees and writes while others run beside it."""

    __slots__ = ("_root", "_snapshot", "_versions")

    def __init__(
        self, root: Branch, versions: Versions, prior: list[Operation], live_output: bool, version: int | None
    ) -> None:
        self._root = root
        super().__init__(0, None, 0, None)
        self._versions = versions
        self._snapshot = SnapshotChannel(versions, version)
        self._channel = versions.live.branch_channel(versions.channel.name, self._snapshot, versions.live)
        replay(prior, self._channel, versions.live)
        self._output = HeldOutput(live_output)

    @property
    def failure(self) -> BaseException | None:
        """What the workflow fails with."""
        return self._root.failure

    @failure.setter
    def failure(self, error: BaseException | None) -> None:
        if error is not None:
            self._root.failure = error

    @property
    def context(self) -> ExecutionContext:
        """The run's context, but for the channel and the task that is running."""
        if self._context is None:
            outer = self._root.context
            context = object.__new__(type(outer))
            context.__dict__.update(outer.__dict__)
            context.parent_context = outer
            context.channel = self.channel
            context.current_task_context = None
            self._context = context
        return self._context

    def commit(self) -> None:
        """Let others see what was written, and show what was printed."""
        self._versions.commit(self.log())
        self.end()

    def end(self) -> None:
        """Show what was printed, and look at the channel as it was no longer."""
        output = self._output
        assert isinstance(output, HeldOutput)
        output.release()
        self._snapshot.release()


class Concurrency:
    """The concurrent tasks of a run's own branch: who sees what, and what failed attempts leave to their next ones."""

    def __init__(self, root: Branch, live: LiveStore, live_output: bool) -> None:
        self.root = root
        self.versions = Versions(root.channel, live)
        self._live_output = live_output
        #: By node, tag and number of the attempt to come.
        self._prior: dict[tuple[int, int, int], list[list[Operation]]] = {}

    def start(self, node: int, tag: int, number: int, version: int | None = None) -> ConcurrentBranch:
        """Return the branch of an attempt that starts now, or that has seen the channel as of ``version`` so far."""
        waiting = self._prior.get((node, tag, number))
        prior: list[Operation] = []
        if waiting:
            prior = waiting.pop(0)
            if not waiting:
                del self._prior[node, tag, number]
        return ConcurrentBranch(self.root, self.versions, prior, self._live_output, version)

    def prior_of(self, node: int, tag: int) -> list[Operation] | None:
        """Return what failed attempts leave to the next one of a node, None for nothing."""
        return next((logs[0] for key, logs in self._prior.items() if key[:2] == (node, tag) and logs), None)

    def give_prior(self, node: int, tag: int, log: list[Operation]) -> None:
        """Let the first attempt of a node find what a checkpoint has kept of one before."""
        self._prior.setdefault((node, tag, 0), []).append(log)

    def failed(self, branch: Branch, node: int, tag: int, number: int, again: bool) -> None:
        """Note that an attempt failed: its next one sees its writes, nobody else does."""
        assert isinstance(branch, ConcurrentBranch)
        if again:
            self._prior.setdefault((node, tag, number + 1), []).append(list(branch.log()))
        branch.end()
