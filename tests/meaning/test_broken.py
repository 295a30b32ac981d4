"""The suite has teeth: each deliberately wrong engine is told from the right one within a few hundred programs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from .model import Model, predict
from .program import Map, Program, Task
from .state import NOTHING, Branch, Failure, Scope
from .suite import Differs, difference, explore


class RunsJoinsTwice(Model):
    """A join that runs whenever a predecessor completes."""

    def in_loop(self, source: str, target: str) -> bool:
        return True


class CountsCompletions(Model):
    """A join that waits for every predecessor, also for those that will not run."""

    def settle(self, branch: Branch, node: str, goto: bool, value: Any = None) -> None:
        for target in () if goto else self.successors(node):
            branch.fired.setdefault(target, {})[node] = None
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

    def settle(self, branch: Branch, node: str, goto: bool, value: Any = None) -> None:
        super().settle(branch, node, False, value)


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


class ChannelBeatsBinding(Model):
    """A bound parameter that the channel overrules."""

    def fill(self, task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
        looks_up = dict(task.options).get("resolve_keyword_args", True)
        bound = tuple(pair for pair in task.bound if not (looks_up and scope.exists(pair[0])))
        return super().fill(replace(task, bound=bound), name, scope, cause, item)


class DefaultBeatsChannel(Model):
    """A parameter with a default that nothing in the channel fills."""

    def fill(self, task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
        defaults = tuple((each[0], each[2]) for each in task.parameters if not each[1] and each[2] is not None)
        return super().fill(replace(task, bound=defaults + task.bound), name, scope, cause, item)


class ForgetsTheTaskBefore(Model):
    """A parameter that stays open although the task before returned something."""

    def fill(self, task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
        return super().fill(task, name, scope, NOTHING, item)


class GivesItemsToMappings(Model):
    """An item taken out of a mapping for a parameter that says that it takes a mapping."""

    def fill(self, task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
        parameters = tuple((*each[:4], each[4] and "int") for each in task.parameters)
        return super().fill(replace(task, parameters=parameters), name, scope, cause, item)


class TakesAnyPredecessor(Model):
    """A join of several that is given what one of them returned."""

    def activate(self, branch: Branch, node: str, given: Task | None = None, cause: Any = NOTHING) -> None:
        by = branch.fired.get(node) or {}
        super().activate(branch, node, given, next(iter(by.values())) if len(by) > 1 else cause)


class LivesForEver(Scope):
    """Values whose time is never over."""

    def _expire(self, key: str, ttl: int | None) -> None:
        pass


class ClearsNothingAtTheJoin(Scope):
    """A branch's `clear` that the parent does not see."""

    def replay(self, log: list[tuple[Any, ...]]) -> None:
        super().replay([entry for entry in log if entry[0] != "clear"])


class PrependsAtTheEnd(Scope):
    """Replay that takes `prepend` for `append`."""

    def replay(self, log: list[tuple[Any, ...]]) -> None:
        super().replay([("append" if entry[0] == "prepend" else entry[0], *entry[1:]) for entry in log])


class LocksAlone(Scope):
    """A lock inside of which writes are the branch's own."""

    @contextlib.contextmanager
    def lock(self, _name: str) -> Iterator[None]:
        yield


def with_scope(scope: type[Scope]) -> type[Model]:
    """A model whose channel is another one."""
    return type(f"With{scope.__name__}", (Model,), {"scope_class": scope})


class ItemsSeeEachOther(Model):
    """A map whose items see what those before them wrote."""

    def view_of_item(self, scope: Scope, logs: list[list[tuple[Any, ...]]]) -> Scope:
        seen = Scope(scope)
        for log in logs:
            seen.replay(log)
        return seen


class DropsFailedItems(Model):
    """A map whose result has no place for items that failed."""

    def play_map(self, node: Map, ctx: Any, say: Any) -> list[Any]:
        return [value for value in super().play_map(node, ctx, say) if not isinstance(value, Exception)]


BROKEN = [
    ChannelBeatsBinding,
    DefaultBeatsChannel,
    ForgetsTheTaskBefore,
    GivesItemsToMappings,
    TakesAnyPredecessor,
    with_scope(LivesForEver),
    with_scope(ClearsNothingAtTheJoin),
    with_scope(PrependsAtTheEnd),
    with_scope(LocksAlone),
    ItemsSeeEachOther,
    DropsFailedItems,
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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", BROKEN)
def test_a_wrong_engine_is_found(engine: type[Model]) -> None:
    """A wrong join, replay, scope, goto or stop is found, and shrunk to a program of a few tasks."""

    def check(program: Program) -> str | None:
        return difference(predict(program), engine(program).run(), engine.__name__)

    with pytest.raises(Differs) as found:
        explore(check, 0, 12_000)
    assert len(found.value.program.nodes) <= 6
