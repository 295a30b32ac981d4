"""The comparison notices when the engine itself is damaged, in the coordinator or in a worker only."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast._body import output, scope
from graflow_fast._run import nodes
from graflow_fast._run.attempts import directives
from graflow_fast._run.branches import branches

from .model import predict
from .program import Program
from .running import run
from .suite import Differs, differs, explore
from .waiting import waits


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


def prepends_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """A branch's `prepend` that is an `append`."""
    patch.setattr(scope.BranchChannel, "prepend", scope.BranchChannel.append)


def forgets_lifetimes(patch: pytest.MonkeyPatch) -> None:
    """Values of a branch whose time is never over."""
    patch.setattr(scope.BranchChannel, "_expires", lambda self, key, ttl: None)


BROKEN_ENGINES = [
    prepends_at_the_end,
    forgets_lifetimes,
    replays_backwards,
    replays_failed_branches,
    joins_too_early,
    shares_names,
    shows_output_at_once,
    shows_output_of_given_up_members,
    forgets_output_at_a_cancel,
    takes_gotos_for_more_work,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("damage", BROKEN_ENGINES)
def test_a_damaged_engine_is_found(
    damage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison that `test_meaning` makes notices when the engine itself is wrong."""

    def check(program: Program) -> str | None:
        expected = predict(program)
        if waits(expected.notes, "thread"):
            return None
        return differs(program, expected, run(program, "thread"), "thread")

    damage(monkeypatch)
    with pytest.raises(Differs):
        # A damaged engine may run some program for minutes, which says nothing: not one of these.
        explore(check, 0, 3000, first_seed=2)


def prepends_at_the_end_there() -> None:
    """A worker in which `prepend` is `append`."""
    from graflow_fast._body.scope import BranchChannel

    BranchChannel.usual = BranchChannel.prepend  # type: ignore[attr-defined]
    BranchChannel.prepend = BranchChannel.append  # type: ignore[method-assign]


def prepends_again() -> None:
    from graflow_fast._body.scope import BranchChannel

    BranchChannel.prepend = BranchChannel.usual  # type: ignore[attr-defined,method-assign]


def forgets_lifetimes_there() -> None:
    """A worker in which the time of a value is never over."""
    from graflow_fast._body.scope import BranchChannel

    BranchChannel.usual = BranchChannel._expires  # type: ignore[attr-defined]
    BranchChannel._expires = lambda self, key, ttl: None  # type: ignore[method-assign]


def keeps_lifetimes_again() -> None:
    from graflow_fast._body.scope import BranchChannel

    BranchChannel._expires = BranchChannel.usual  # type: ignore[attr-defined,method-assign]


def gives_nothing_there() -> None:
    """A worker in which open parameters get None instead of what the task before returned."""
    from graflow_fast._worker import bodies

    def none(parameters: Any, previous: Any, task_id: Any, found: Any, looked_up: Any) -> None:
        found.update({parameter.name: None for parameter in parameters})

    bodies.usual = bodies.fill_from_previous  # type: ignore[attr-defined]
    bodies.fill_from_previous = none


def gives_again() -> None:
    from graflow_fast._worker import bodies

    bodies.fill_from_previous = bodies.usual  # type: ignore[attr-defined]


BROKEN_WORKERS = [
    (prepends_at_the_end_there, prepends_again),
    (forgets_lifetimes_there, keeps_lifetimes_again),
]


def in_the_worker(function: Callable[[], None]) -> None:
    """Call a function in the one worker of the pool, which serves the programs after it as well."""
    with workflow("in the worker") as wf:
        task("call")(function)
        wf.execute(executor="process", max_workers=1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("damage", "mend"), BROKEN_WORKERS)
def test_a_damaged_worker_is_found(damage: Callable[[], None], mend: Callable[[], None]) -> None:
    """What only workers do wrong is noticed, too."""

    def check(program: Program) -> str | None:
        expected = predict(program)
        if waits(expected.notes, "process(1)"):
            return None
        return differs(program, expected, run(program, "process(1)"), "process(1)")

    in_the_worker(damage)
    try:
        with pytest.raises(Differs):
            explore(check, 0, 3000, first_seed=2)
    finally:
        in_the_worker(mend)
