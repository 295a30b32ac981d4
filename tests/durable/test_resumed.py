"""Durable runs that failed, are named, or meet another program than they began with."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import (
    ConfigError,
    GraflowRuntimeError,
    JournalMismatchError,
    TaskSerializationError,
    UnknownOptionError,
)


class Bodies:
    """Notes which bodies have run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def workflow(self, *, fails: bool = False, first: int = 1, has_first: bool = True) -> WorkflowContext:
        """Return ``a >> b >> c``, of which ``b`` may fail."""
        with workflow("abc") as made:

            @task
            def b() -> int:
                self.ran.append("b")
                if fails:
                    raise ValueError("not yet")
                return 2

            @task
            def c() -> int:
                self.ran.append("c")
                return 3

            b >> c
            if has_first:
                if first == 1:

                    @task
                    def a() -> int:
                        self.ran.append("a")
                        return 1

                else:

                    @task
                    def a() -> int:
                        self.ran.append("a")
                        return 100

                a >> b
        return made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store of runs is."""
    return tmp_path / "runs.db"


def failed(store: Path, **options: Any) -> Bodies:
    """Return the bodies of a run that failed at ``b``."""
    bodies = Bodies()
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        bodies.workflow(fails=True).execute(durable=store, **options)
    assert bodies.ran == ["a", "b"]
    bodies.ran.clear()
    return bodies


def test_a_failed_run_goes_on_at_the_failed_task_with_the_code_of_today(store: Path) -> None:
    """Hard test 8, first part."""
    bodies = failed(store)
    result, context = bodies.workflow().resume(store, ret_context=True)
    assert (result, bodies.ran, context.completed_tasks) == (3, ["b", "c"], ["a", "b", "c"])
    with pytest.raises(GraflowRuntimeError, match="none is unfinished or failed"):
        bodies.workflow().resume(store)


def test_a_run_that_fails_again_can_go_on_once_more(store: Path) -> None:
    """What was dropped of the first failure stays dropped."""
    bodies = failed(store)
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        bodies.workflow(fails=True).resume(store)
    assert bodies.workflow().resume(durable=store) == 3  # as `execute` names it
    assert bodies.ran == ["b", "b", "c"]


def test_a_done_task_that_has_changed_is_named_in_one_warning_or_refused(store: Path) -> None:
    """Hard test 8, second part."""
    bodies = failed(store)
    with pytest.raises(JournalMismatchError, match="'a'.*has changed"):
        bodies.workflow(first=100).resume(store, changed="refuse")
    with pytest.warns(UserWarning, match=r"not run again: a$") as warned:
        assert bodies.workflow(first=100).resume(store) == 3
    assert (len(warned), bodies.ran) == (1, ["b", "c"])


def test_a_program_that_lacks_a_task_of_the_run_is_refused(store: Path) -> None:
    """Hard test 8, third part; nothing is lost by the attempt."""
    bodies = failed(store)
    with pytest.raises(JournalMismatchError, match="no more: - a"):
        bodies.workflow(has_first=False).resume(store)
    assert bodies.workflow().resume(store) == 3


def test_a_named_run_goes_on_and_then_gives_back_its_result(store: Path) -> None:
    """So a program may just be started again."""
    bodies = failed(store, run="daily")
    assert bodies.workflow().execute(durable=store, run="daily") == 3
    assert bodies.workflow().execute(durable=store, run="daily") == 3
    assert bodies.ran == ["b", "c"]


def test_a_named_run_is_refused_other_first_values(store: Path) -> None:
    """Another initial_channel would be another run."""
    bodies = failed(store, run="daily", initial_channel={"day": 1})
    with pytest.raises(GraflowRuntimeError, match="another initial_channel"):
        bodies.workflow().execute(durable=store, run="daily", initial_channel={"day": 2})
    _, context = bodies.workflow().execute(durable=store, run="daily", initial_channel={"day": 1}, ret_context=True)
    assert context.channel.get("day") == 1


def test_a_member_that_failed_its_group_is_run_again_and_the_others_are_not(store: Path) -> None:
    """A failed run goes on within the group."""
    ran, fails = [], [True]

    def made() -> WorkflowContext:
        with workflow("members") as flow:

            @task
            def member(n: int) -> int:
                ran.append(n)
                if n == 1 and fails[0]:
                    raise ValueError("one")
                return n

            member(task_id="m0", n=0) | member(task_id="m1", n=1) | member(task_id="m2", n=2)
        return flow

    with pytest.raises(GraflowRuntimeError):
        made().execute(durable=store, executor="inline")
    assert sorted(ran) == [0, 1, 2]
    fails[0] = False
    _, context = made().resume(store, executor="inline", ret_context=True)
    assert (sorted(ran), [context.get_result(f"m{n}") for n in range(3)]) == ([0, 1, 1, 2], [0, 1, 2])


def test_what_can_not_be_kept_is_said_at_that_task(store: Path) -> None:
    """A result that can't be pickled fails its task at once, not a resumed run later."""
    with workflow("locked") as made:

        @task
        def lock() -> Any:
            return threading.Lock()

    with pytest.raises(GraflowRuntimeError) as raised:
        made.execute(durable=store)
    assert isinstance(raised.value, TaskSerializationError)
    assert "lock" in str(raised.value)


def test_an_exception_that_can_not_be_loaded_stands_as_text(store: Path) -> None:
    """Hard test 6."""

    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    fails = [True]

    def made() -> WorkflowContext:
        with workflow("odd") as flow:

            @task
            def odd() -> None:
                raise Odd(1, 2)

            @task
            def even() -> int:
                return 2

            @task
            def behind() -> int:
                if fails[0]:
                    raise ValueError
                return 3

            (odd | even).with_execution(policy="best_effort") >> behind
        return flow

    with pytest.raises(GraflowRuntimeError):
        made().execute(durable=store, executor="inline")
    fails[0] = False
    assert made().resume(store, executor="inline") == 3


def test_a_new_run_beside_an_unfinished_one_is_told_how_to_go_on(store: Path) -> None:
    """An unnamed run is always new."""
    with workflow("stopped") as made:

        @task
        def stop() -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.execute(durable=store)
    with pytest.warns(UserWarning, match=r"unfinished.*wf\.resume\("), pytest.raises(KeyboardInterrupt):
        made.execute(durable=store)


@pytest.mark.parametrize("options", [{"run": ""}, {"sync": "never"}])
def test_what_a_durable_run_can_not_have_is_refused_at_its_beginning(store: Path, options: dict[str, Any]) -> None:
    """Nothing is lost silently."""
    bodies = Bodies()
    with pytest.raises(ConfigError):
        bodies.workflow().execute(durable=store, **options)
    assert not bodies.ran
    with pytest.raises((ConfigError, UnknownOptionError)):
        bodies.workflow().execute(run="without durable")


@pytest.mark.parametrize("keep", ["needed", "none"])
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_results_that_a_run_drops_are_dropped_by_who_goes_on(store: Path, keep: str, schedule: str) -> None:
    """Those that a failed task reads are still there; what is written down can't be seen in the channel."""

    def made(fails: bool) -> WorkflowContext:
        with workflow("dropping", schedule=schedule) as flow:

            @task(inject_context=True)
            def first(ctx: Any) -> list[int]:
                ctx.get_channel().set("seen", 1)
                return [1]

            @task
            def second(value: list[int]) -> list[int]:
                return [*value, 2]

            @task
            def third(value: list[int]) -> list[int]:
                if fails:
                    raise ValueError
                return [*value, 3]

            first >> second >> third
        return flow

    for fails in (True, True):
        with pytest.raises(GraflowRuntimeError):
            made(fails).execute(durable=store, run="r", keep_results=keep)
    for _ in range(2):
        result, context = made(False).execute(durable=store, run="r", keep_results=keep, ret_context=True)
        left = ["third.__result__"] if keep == "needed" else []
        assert (result, sorted(context.channel.keys())) == ([1, 2, 3], sorted(["seen", *left]))
    store.unlink()
    result, context = made(False).execute(durable=store, run="r", keep_results=keep, ret_context=True)
    assert (result, sorted(context.channel.keys())) == ([1, 2, 3], sorted(["seen", *left]))


def test_a_value_larger_than_a_record_is_kept(store: Path) -> None:
    """Entries may be several records."""
    bodies = Bodies()
    flow = bodies.workflow(fails=True)
    large = {"large": "x" * 3_000_000}
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        flow.execute(durable=store, initial_channel=large)
    _, context = bodies.workflow().resume(store, ret_context=True)
    assert context.channel.get("large") == large["large"]


def test_the_command_line_starts_the_program_of_a_run_again(tmp_path: Path, store: Path) -> None:
    """Where it was started, with its arguments."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from graflow_fast import task, workflow\n"
        "with workflow('w') as wf:\n"
        "    @task\n"
        "    def a():\n"
        "        print('a')\n"
        "        return 1\n"
        "    @task\n"
        "    def b(a):\n"
        "        return a / int(Path('divisor').read_text())\n"
        "    a >> b\n"
        "print(wf.execute(durable=sys.argv[1]))\n"
    )
    (tmp_path / "divisor").write_text("0")
    begun = subprocess.run([sys.executable, program, store], cwd=tmp_path, capture_output=True, text=True)
    assert (begun.returncode, begun.stdout) == (1, "a\n")
    (tmp_path / "divisor").write_text("4")
    command = [sys.executable, "-m", "graflow_fast", "resume", "--json", "--store", str(store)]
    resumed = subprocess.run(command, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    said, result = resumed.stdout.splitlines()
    assert (json.loads(said)["run"], result) == (1, "0.25")
    again = subprocess.run(command, capture_output=True, text=True)
    assert (again.returncode, "could go on" in again.stderr) == (2, True)


def test_a_run_that_was_only_recorded_is_none_to_go_on_with(store: Path) -> None:
    """It has no journal, so all would run again."""
    bodies = Bodies()
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        bodies.workflow(fails=True).execute(record=store)
    with pytest.raises(GraflowRuntimeError, match="none is unfinished or failed"):
        bodies.workflow().resume(store)


def test_power_syncs_each_entry(store: Path) -> None:
    """The outcome is the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Bodies().workflow().execute(durable=store, sync="power") == 3


@pytest.mark.parametrize("place", ["alone", "member", "parallel"])
@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_what_a_body_changes_in_a_value_that_it_read_is_nobody_elses(store: Path, place: str, executor: str) -> None:
    """Hard test 15: where values are objects of one process, a run that goes on means what it means without a crash."""
    for fails in (False, True):
        with contextlib.suppress(GraflowRuntimeError):
            aliases(place, fails).execute(durable=store, executor=executor, run=str(fails))
        found = aliases(place, False).execute(durable=store, executor=executor, run=str(fails))
        assert found == ([1], [1], [[1]]), fails


def aliases(place: str, fails: bool) -> WorkflowContext:
    """Return ``a >> b >> c``, of which ``b`` changes what it reads of ``a``, and ``c`` tells of that or fails."""
    with workflow("aliases", schedule="parallel" if place == "parallel" else "sequential") as made:

        @task(inject_context=True)
        def a(ctx: Any) -> list[int]:
            ctx.get_channel().set("set", [1])
            ctx.get_channel().append("appended", [1])
            return [1]

        @task(inject_context=True)
        def b(ctx: Any, a: list[int]) -> None:
            a.append(2)
            ctx.get_result("a").append(3)
            ctx.get_channel().get("set").append(2)
            ctx.get_channel().get("appended")[0].append(2)

        @task(inject_context=True)
        def c(ctx: Any, a: list[int]) -> Any:
            if fails:
                raise ValueError
            return a, ctx.get_channel().get("set"), ctx.get_channel().get("appended")

        @task
        def sibling() -> None: ...

        @task(inject_context=True)
        def last(ctx: Any) -> Any:
            return ctx.get_result("c")

        a >> b >> c
        if place == "member":
            (a | sibling) >> last
        else:
            c >> last
    return made
