"""The critical path of records whose answer is known."""

from __future__ import annotations

from math import nan

import pytest
from runs import Recorder, census

from graflow_fast._record.columns import RETRIED, RUNNING


def rounded(run):
    return [(name, round(waited, 6), round(ran, 6)) for name, waited, ran in run.critical_path()]


def test_a_join_waits_for_the_longer_side():
    made = Recorder()
    made.row("fetch", 0, 1)
    made.row("a", 1, 2, by="fetch")
    made.row("b", 1, 5, by="fetch", worker=1)
    made.row("store", 5, 6, by="b")
    assert rounded(made.run()) == [("fetch", 0, 1), ("b", 0, 4), ("store", 0, 1)]
    assert made.run().path.length == 6


def test_waiting_for_a_worker_is_told_and_does_not_count():
    """With more workers it would not be."""
    made = Recorder()
    made.row("fetch", 0, 1)
    made.row("a", 1, 4, by="fetch")
    made.row("b", 4, 8, by="fetch", ready=1)
    assert rounded(made.run()) == [("fetch", 0, 1), ("b", 3, 4)]
    assert made.run().path.length == 5


def test_what_took_longest_is_the_limit_though_it_did_not_end_last():
    made = Recorder(workers=1)
    made.row("long", 0, 10)
    made.row("short", 10, 11, ready=0)
    assert rounded(made.run()) == [("long", 0, 10)]


def test_a_pause_before_a_retry_counts():
    """No worker would make it shorter."""
    made = Recorder()
    made.row("fetch", 0, 1)
    made.row("send", 1, 2, by="fetch", outcome=RETRIED)
    made.row("send", 5.5, 6, by="fetch", ready=5, attempt=2)
    assert rounded(made.run()) == [("fetch", 0, 1), ("send", 0, 1), ("send", 3.5, 0.5)]
    assert made.run().path.length == pytest.approx(1 + 1 + 3 + 0.5)


@pytest.mark.parametrize("members_are_released_by", ["batches", "list"])
@pytest.mark.parametrize("group_times", [(nan, nan), (1.0, 7.0)])
def test_through_a_group_by_its_longest_branch(members_are_released_by, group_times):
    """Whether its members are said to be released by the group or by what came before it."""
    made = Recorder()
    made.group("batches", ["a", "b"])
    made.row("list", 0, 1)
    made.row("a", 1, 2, by=members_are_released_by, branch=1)
    made.row("b", 1, 3, by=members_are_released_by, branch=2, worker=1)
    made.row("after_a", 2, 7, by="a", branch=1)
    made.row("batches", *group_times, by="list", ready=1)
    made.row("report", 7, 8, by="batches")
    expected = [("list", 0, 1), ("a", 0, 1), ("after_a", 0, 5), ("report", 0, 1)]
    assert [step for step in rounded(made.run()) if step[0] != "batches"] == expected


def test_through_groups_in_groups():
    made = Recorder()
    made.group("inner", ["x", "y"])
    made.group("outer", ["a", "inner"])
    made.row("list", 0, 1)
    made.row("a", 1, 2, by="outer", branch=1)
    made.row("x", 1, 3, by="inner", branch=3)
    made.row("y", 1, 5, by="inner", branch=4)
    made.row("inner", by="outer", ready=1, branch=2)
    made.row("outer", by="list", ready=1)
    made.row("report", 5, 6, by="outer")
    assert rounded(made.run()) == [("list", 0, 1), ("y", 0, 4), ("report", 0, 1)]


def test_a_loop_is_on_it_round_by_round():
    made = Recorder()
    made.row("agent", 0, 1)
    for time in range(1, 7, 2):
        made.row("tool", time, time + 1, by="agent")
        made.row("agent", time + 1, time + 2, by="tool")
    assert [name for name, _, _ in rounded(made.run())] == ["agent", *["tool", "agent"] * 3]
    assert made.run().path.length == 7


def test_a_group_in_a_loop_runs_anew_each_round():
    made = Recorder()
    made.group("both", ["a", "b"])
    made.row("plan", 0, 1)
    for turn in range(3):
        time = 4 * turn
        made.row("a", time + 1, time + 2, by="both", branch=10 * turn + 1)
        made.row("b", time + 1, time + 3, by="both", branch=10 * turn + 2)
        made.row("both", by="plan", ready=time + 1)
        made.row("plan", time + 4, time + 5, by="both")
    assert [name for name, _, _ in rounded(made.run())] == ["plan", *["b", "plan"] * 3]


def test_the_same_node_in_other_branches_is_another_one():
    """Each branch's own runs are linked, though another branch's ended later."""
    made = Recorder()
    made.group("both", ["a", "b"])
    made.row("a", 0, 1, by="both", branch=1)
    made.row("shared", 1, 2, by="a", branch=1)
    made.row("b", 0, 2.5, by="both", branch=2)
    made.row("shared", 2.5, 3, by="b", branch=2)
    made.row("last", 3, 9, by="shared", branch=1, ready=3)
    assert rounded(made.run()) == [("a", 0, 1), ("shared", 0, 1), ("last", 1, 6)]


def test_what_was_running_at_the_end_and_what_never_ran_are_no_trouble():
    made = Recorder()
    made.row("a", 0, 1)
    made.row("skipped", by="a", outcome=4, ready=nan)
    made.row("b", 1, nan, by="a", outcome=RUNNING)
    assert rounded(made.run(outcome="killed")) == [("a", 0, 1)]
    assert Recorder().run().critical_path() == []


def test_the_census():
    run = census()
    assert [name for name, _, _ in run.critical_path()] == ["list_files", "batch_001", "build_report"]


def test_it_is_no_longer_than_the_run_and_no_shorter_than_the_longest_body():
    run = census(40)
    longest = max(task.ran for task in run.tasks() if task.ran is not None)
    assert longest <= run.path.length <= run.figures.wall


def test_a_chain_of_many_is_followed_quickly():
    """In one pass: the time for each step does not grow with their number (no clock here, but the test's own limit)."""
    made = Recorder()
    for turn in range(20_000):
        made.row("turn", turn, turn + 1, by="turn" if turn else None)
    assert len(made.run().critical_path()) == 20_000
