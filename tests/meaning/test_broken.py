"""The suite has teeth: each deliberately wrong engine is told from the right one within a few hundred programs."""

from __future__ import annotations

from typing import Any

import pytest

from .model import Activation, Branch, Failure, Model, Scope, predict
from .program import Group, Program
from .suite import Differs, difference, explore


class RunsJoinsTwice(Model):
    """A join that fires on every predecessor."""

    def release(self, branch: Branch, node: str, live: set[str], seen: set[str]) -> None:
        if branch.fired.pop(node, None):
            branch.queue.append(Activation(node, node))


class CountsCompletions(Model):
    """A join that waits for all its predecessors, skipped ones included."""

    def release(self, branch: Branch, node: str, live: set[str], seen: set[str]) -> None:
        if len(branch.fired.get(node, ())) == len(self.predecessors(node)):
            del branch.fired[node]
            branch.queue.append(Activation(node, node))


class ReplaysBackwards(Model):
    """Members' writes replayed in the order of the last one first."""

    def run_group(self, branch: Branch, group: Group) -> None:
        joins: list[Any] = []
        real, self.join = self.join, lambda parent, member: joins.append((parent, member))  # type: ignore[method-assign]
        judge = self.judge

        def join_then_judge(group: Group, errors: dict[str, str]) -> None:
            self.join, self.judge = real, judge  # type: ignore[method-assign]
            for parent, member in reversed(joins):
                self.join(parent, member)
            judge(group, errors)

        self.judge = join_then_judge  # type: ignore[method-assign]
        try:
            super().run_group(branch, group)
        finally:
            self.join, self.judge = real, judge  # type: ignore[method-assign]


class SharesTheChannel(Model):
    """Branches that see what their siblings write."""

    def run_branch(self, branch: Branch) -> None:
        if branch.parent:
            branch.scope.data = branch.parent.scope.data
        super().run_branch(branch)


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

    def reach(self, branch: Branch, start: set[str]) -> set[str]:
        return set(self.nodes)


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
