"""Running: what a body or a member raised, policies, locks."""

import sys
import traceback

import pytest
from reading import EXECUTORS, notes, nothing

from graflow_fast.core.decorators import task
from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy, CriticalGroupPolicy
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    ParallelGroupError,
)


@EXECUTORS
def test_a_body_raises(executor):
    """The cause is the body's exception; the terminal shows the user's lines, the task, and none of our own lines."""
    with workflow("w") as wf:

        @task
        def load():
            return int("12 apples")

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == (
        "An error occurred: invalid literal for int() with base 10: '12 apples' "
        "(caused by invalid literal for int() with base 10: '12 apples')"
    )
    assert type(error.__cause__) is ValueError
    assert error.task_id == "load"
    shown = "".join(traceback.format_exception(error))
    assert 'return int("12 apples")' in shown
    assert "wf.execute(executor=executor)" in shown
    assert "/graflow_fast/_run/" not in shown
    assert "/graflow_fast/_worker/" not in shown
    assert "in task 'load'\n" in shown
    if sys.version_info >= (3, 11):
        assert shown.rstrip().endswith("in task 'load'")


def test_full_traceback(monkeypatch):
    """Whoever works on the package can have its lines."""
    monkeypatch.setenv("GRAFLOW_FAST_FULL_TRACEBACK", "1")
    with workflow("w") as wf:
        task("a")(lambda: 1 / 0)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor="inline")
    assert "/graflow_fast/_run/" in "".join(traceback.format_exception(caught.value))


@EXECUTORS
def test_a_member_fails(executor):
    """graflow's message, the failed members with their messages, the first one's error as the cause."""
    with workflow("w") as wf:

        @task
        def users():
            raise FileNotFoundError("users.csv")

        @task
        def orders():
            raise ValueError("empty file")

        (users | orders | task("prices")(nothing)).set_group_name("all")
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "Parallel group all failed: 2 task(s) failed"
    assert (error.group_id, error.successful_tasks) == ("all", ["prices"])
    assert error.failed_tasks == [
        ("users", "An error occurred: users.csv (caused by users.csv)"),
        ("orders", "An error occurred: empty file (caused by empty file)"),
    ]
    assert isinstance(error.__cause__.__cause__, FileNotFoundError)
    assert notes(error) == [
        "  member 'users': FileNotFoundError: users.csv",
        "  member 'orders': ValueError: empty file",
    ]


def test_many_members_fail():
    """Ten are named, the others counted."""
    with workflow("w") as wf:

        @task
        def bad():
            raise ValueError("no")

        members = [bad(task_id=f"m{number}") for number in range(12)]
        group = members[0] | members[1]
        for member in members[2:]:
            group = group | member
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute("ParallelGroup_1", executor="inline")
    assert len(notes(caught.value)) == 11
    assert notes(caught.value)[-1] == "  and 2 more: see failed_tasks"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (AtLeastNGroupPolicy(2), "Only 1/2 tasks succeeded in group pair"),
        (CriticalGroupPolicy(["a"]), "Critical tasks failed: ['a']"),
        (AtLeastNGroupPolicy(3), "min_success (3) cannot exceed number of tasks (2)"),
        (CriticalGroupPolicy(["zzz"]), "Critical task ids ['zzz'] are not part of parallel group pair"),
        ("best_efort", "Unknown group execution policy 'best_efort'. Available policies: "),
        ("critical", "Policy 'critical' needs arguments: pass CriticalGroupPolicy(...) instead of its name"),
    ],
    ids=["too few", "critical", "too many wanted", "stranger", "misspelt", "without arguments"],
)
def test_policies(policy, message):
    """Each says what was wanted and what was there."""
    with workflow("w") as wf:
        pair = task("a")(lambda: 1 / 0) | task("b")(nothing)
        pair.set_group_name("pair").with_execution(policy=policy)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor="inline")
    assert message in str(caught.value)


@EXECUTORS
def test_lock_timeout(executor):
    """It names the key and how long was waited, whoever holds the lock."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def waits(ctx):
            with ctx.get_channel().lock("file", timeout=0.05):
                pass

    if executor == "process":
        pytest.skip("nobody else holds it there; see tests/compat/programs/chan_lock_timeout.py and docs/errors.md")
    context = wf._prepare(None, None, None, wf.settings.merged({"executor": executor}))
    import threading

    held, done = threading.Event(), threading.Event()

    def hold():
        with context.channel.lock("file"):
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    try:
        with pytest.raises(GraflowRuntimeError) as caught:
            context.execute()
    finally:
        done.set()
        holder.join()
    assert str(caught.value.__cause__) == "Could not acquire lock for key 'file' within 0.05s"
