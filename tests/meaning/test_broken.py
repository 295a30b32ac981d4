"""The suite has teeth: each deliberately wrong engine is told from the right one within a few hundred programs."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest

from graflow_fast._run import branches, directives, nodes, output

from .model import Model, predict
from .program import Program, Task, run
from .state import Branch, Failure, Scope
from .suite import Differs, difference, explore


class RunsJoinsTwice(Model):
    """A join that runs whenever a predecessor completes."""

    def in_loop(self, source: str, target: str) -> bool:
        return True


class CountsCompletions(Model):
    """A join that waits for every predecessor, also for those that will not run."""

    def settle(self, branch: Branch, node: str, goto: bool) -> None:
        for target in () if goto else self.successors(node):
            branch.fired.setdefault(target, set()).add(node)
            if len(branch.fired[target]) == len(self.predecessors(target)):
                self.activate(branch, target)


class ReplaysBackwards(Model):
    """Members' writes replayed with those of the last member first."""

    def join(self, branch: Branch, member: Branch) -> None:
        before = branch.scope.log
        branch.scope.log = member.scope.log + before
        branch.scope.data = Scope(branch.parent.scope if branch.parent else None).data
        log, branch.scope.log = branch.scope.log, []
        branch.scope.replay(log)
        branch.steps += member.steps


class SharesTheChannel(Model):
    """Branches that see what their siblings write."""

    def run_branch(self, branch: Branch) -> None:
        if branch.parent:
            branch.scope.data = branch.parent.scope.data
        super().run_branch(branch)


class RunsWhatHasTheName(Model):
    """A name that stands for a task already, whatever task is given under it."""

    def attach(self, branch: Branch, target: Any, prefix: str) -> tuple[str, Task | None]:
        return super().attach(branch, target, prefix)[0], None


class KeepsFailedWrites(Model):
    """A failed branch that replays what it wrote before it failed."""

    def run_branch(self, branch: Branch) -> None:
        try:
            super().run_branch(branch)
        except Failure:
            if branch.parent:
                branch.parent.scope.replay(branch.scope.log)
            raise


class ForgetsRetryWrites(Model):
    """An attempt that fails takes its writes with it."""

    def retry(self, branch: Branch, *rest: Any) -> None:
        before = Scope(branch.parent.scope if branch.parent else None)
        super().retry(branch, *rest)
        branch.scope.data = before.data


class IgnoresGoto(Model):
    """A goto that starts its target but does not skip the successors."""

    def settle(self, branch: Branch, node: str, goto: bool) -> None:
        super().settle(branch, node, False)


class KeepsGotoInside(Model):
    """A goto out of a branch that runs in the branch."""

    def reaches(self, branch: Branch, node: str) -> bool:
        return True


class StopsOnlyTheBranch(Model):
    """A terminate that ends its own branch and nothing else."""

    def run_branch(self, branch: Branch) -> None:
        super().run_branch(branch)
        if branch.parent:
            branch.stopped = None


BROKEN = [
    RunsJoinsTwice,
    CountsCompletions,
    ReplaysBackwards,
    SharesTheChannel,
    RunsWhatHasTheName,
    KeepsFailedWrites,
    ForgetsRetryWrites,
    IgnoresGoto,
    KeepsGotoInside,
    StopsOnlyTheBranch,
]


@pytest.mark.parametrize("engine", BROKEN)
def test_a_wrong_engine_is_found(engine: type[Model]) -> None:
    """A wrong join, replay, scope, goto or stop is found, and shrunk to a program of a few tasks."""

    def check(program: Program) -> str | None:
        return difference(predict(program), engine(program).run(), engine.__name__)

    with pytest.raises(Differs) as found:
        explore(check, 0, 3000)
    assert len(found.value.program.nodes) <= 6


def replays_backwards(patch: pytest.MonkeyPatch) -> None:
    """Members' writes replayed with those of the last member first."""
    patch.setattr(branches, "range", lambda count: reversed(builtins.range(count)), raising=False)


def replays_failed_branches(patch: pytest.MonkeyPatch) -> None:
    """A failed branch that replays what it wrote before it failed."""
    end_branch = branches.Fork.end_branch

    def keeping(self: branches.Fork, branch: branches.Branch | None, index: int, ok: bool) -> None:
        end_branch(self, branch, index, ok)
        if branch is not None and not ok:
            self.logs[index] = branch.log()

    patch.setattr(branches.Fork, "end_branch", keeping)


def joins_too_early(patch: pytest.MonkeyPatch) -> None:
    """A group that takes its last member's writes for nothing."""
    replay = branches.Fork.replay
    patch.setattr(branches.Fork, "replay", lambda self, count: replay(self, count - 1))


def shares_names(patch: pytest.MonkeyPatch) -> None:
    """Tasks that members make, known to their siblings at once."""
    new = nodes.NodeTable._new
    patch.setattr(nodes.NodeTable, "_new", lambda self, task, name, branch: new(self, task, name, None))


def shows_output_at_once(patch: pytest.MonkeyPatch) -> None:
    """Members that show what they print when they print it."""
    patch.setattr(output.OutputStream, "flowing", lambda self: True)


def shows_output_of_given_up_members(patch: pytest.MonkeyPatch) -> None:
    """Members behind a stop whose output is shown if they were fast enough."""
    patch.setattr(output.ForkOutput, "cut", lambda self, index: None)


def forgets_output_at_a_cancel(patch: pytest.MonkeyPatch) -> None:
    """A cancel that shows nothing of what waits for its turn."""
    patch.setattr(output.ForkOutput, "show_up_to", lambda self, index: None)


def takes_gotos_for_more_work(patch: pytest.MonkeyPatch) -> None:
    """A goto that starts its target but does not skip the successors."""
    patch.setattr(directives, "GOTO", directives.ENQUEUE)


BROKEN_ENGINES = [
    replays_backwards,
    replays_failed_branches,
    joins_too_early,
    shares_names,
    shows_output_at_once,
    shows_output_of_given_up_members,
    forgets_output_at_a_cancel,
    takes_gotos_for_more_work,
]


@pytest.mark.parametrize("damage", BROKEN_ENGINES)
def test_a_damaged_engine_is_found(
    damage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison that `test_meaning` makes notices when the engine itself is wrong."""

    def check(program: Program) -> str | None:
        return difference(predict(program), run(program, "thread"), "thread")

    damage(monkeypatch)
    with pytest.raises(Differs):
        # A damaged engine may run some program for minutes, which says nothing: not one of these.
        explore(check, 0, 3000, first_seed=2)
