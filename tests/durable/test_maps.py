"""Maps in durable runs: items that were done never run again, and the outcome is that of a run that was not killed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import (
    ConfigError,
    GraflowRuntimeError,
    JournalMismatchError,
    ParallelGroupError,
    RetryLimitExceededError,
)

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store of runs is."""
    return tmp_path / "runs.db"


class Bodies:
    """Notes in a file which items have run, wherever that is."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def ran(self) -> list[str]:
        """Return what has run since the last call, sorted."""
        found = sorted(self.file.read_text().split()) if self.file.exists() else []
        self.file.unlink(missing_ok=True)
        return found

    def workflow(self, items: Any, failing: Any = (), **options: Any) -> WorkflowContext:
        """Return ``first >> ten times each item >> last``; some items fail, or the last task if it is among them."""
        name = str(self.file)
        with workflow("items") as made:

            def note(what: Any) -> None:
                with open(name, "a") as file:
                    file.write(f"{what}\n")

            @task
            def first() -> Any:
                note("first")
                return items() if callable(items) else items

            @task
            def ten(n: int) -> int:
                note(n)
                if n in failing:
                    raise ValueError(f"{n} fails")
                return 10 * n

            @task
            def last(values: Any) -> Any:
                note("last")
                if "last" in failing:
                    raise ValueError("last fails")
                return values

            first >> ten.map(first, task_id="tens", **options) >> last
        return made


@pytest.fixture
def bodies(tmp_path: Path) -> Bodies:
    """Return what notes the items of a run."""
    return Bodies(tmp_path / "ran")


@EXECUTORS
def test_a_failed_map_goes_on_at_its_failed_items(store: Path, bodies: Bodies, executor: str) -> None:
    """Those that were done are not run again, whichever process did them."""
    options: dict[str, Any] = {"executor": executor, "max_workers": 2}
    with pytest.raises(ParallelGroupError, match=r"2 of 6 items failed: tens\[1\]"):
        bodies.workflow(range(6), {1, 4}).execute(durable=store, **options)
    assert bodies.ran() == ["0", "1", "2", "3", "4", "5", "first"]
    with pytest.raises(ParallelGroupError, match=r"1 of 6 items failed: tens\[4\]"):
        bodies.workflow(range(6), {4}).resume(store, **options)
    assert bodies.ran() == ["1", "4"]
    with pytest.raises(GraflowRuntimeError, match="last fails"):
        bodies.workflow(range(6), {"last"}).resume(store, **options)
    assert bodies.ran() == ["4", "last"]
    result, context = bodies.workflow(range(6)).resume(store, ret_context=True, **options)
    assert (result, context.get_result("tens")) == ([0, 10, 20, 30, 40, 50],) * 2
    assert bodies.ran() == ["last"]


def test_another_executor_may_go_on(store: Path, bodies: Bodies) -> None:
    """What was a chunk in one process is single items in the next."""
    with pytest.raises(ParallelGroupError):
        bodies.workflow(range(40), {5, 17}, chunk=10).execute(durable=store, executor="process", max_workers=2)
    assert len(bodies.ran()) == 41
    with pytest.raises(ParallelGroupError):
        bodies.workflow(range(40), {17}, chunk=7).resume(store, executor="inline")
    assert bodies.ran() == ["17", "5"]
    assert bodies.workflow(range(40)).resume(store, executor="thread") == [10 * n for n in range(40)]
    assert bodies.ran() == ["17", "last"]


def test_a_stopped_map_goes_on_where_it_stopped(store: Path, bodies: Bodies) -> None:
    """With ``fail_fast`` nothing behind the first failed item counts, so it is run now."""
    with pytest.raises(ParallelGroupError, match="1 of 3 items failed"):
        bodies.workflow(range(5), {2}, fail_fast=True).execute(durable=store, executor="inline")
    assert bodies.ran() == ["0", "1", "2", "first"]
    assert bodies.workflow(range(5), fail_fast=True).resume(store, executor="inline") == [0, 10, 20, 30, 40]
    assert bodies.ran() == ["2", "3", "4", "last"]


@pytest.mark.parametrize(("on_error", "expected"), [("skip", [0, 20]), ("keep", [0, "ValueError('1 fails')", 20])])
def test_failures_that_are_let_be_stay_as_they_are(
    store: Path, bodies: Bodies, on_error: str, expected: list[Any]
) -> None:
    """Only what made the run fail is tried anew."""
    with pytest.raises(GraflowRuntimeError, match="last fails"):
        bodies.workflow(range(3), {1, "last"}, on_error=on_error).execute(durable=store)
    bodies.ran()
    found = bodies.workflow(range(3), on_error=on_error).resume(store)
    assert [repr(value) if isinstance(value, Exception) else value for value in found] == expected
    assert bodies.ran() == ["last"]


def test_items_that_are_others_than_before_are_refused_by_name(store: Path, bodies: Bodies) -> None:
    """What was done was done for another item; a failed one may be repaired."""
    items = [{"n": n} for n in range(4)]

    def made(items: Any, failing: bool) -> WorkflowContext:
        with workflow("dicts") as flow:

            @task
            def each(item: dict[str, Any]) -> Any:
                if failing and item["n"] == 1:
                    raise ValueError
                return item["n"]

            each.map(items)
        return flow

    with pytest.raises(ParallelGroupError):
        made(items, True).execute(durable=store, executor="inline")
    other = [dict(item) for item in items]
    other[2]["n"] = 7
    with pytest.raises(JournalMismatchError, match=r"'each_map'.* item 2 is another one"):
        made(other, False).resume(store, executor="inline")
    with pytest.raises(JournalMismatchError, match="only 2 items, and item 3 had ended"):
        made(items[:2], False).resume(store, executor="inline")
    repaired = [dict(item) for item in items]
    repaired[1]["n"] = 11
    assert made([*repaired, {"n": 4}], False).resume(store, executor="inline") == [0, 11, 2, 3, 4]


def test_items_without_content_are_not_compared(store: Path) -> None:
    """A lock is no other one than before, and no reason to refuse."""
    fails = [True]

    def made() -> WorkflowContext:
        with workflow("locks") as flow:

            @task
            def use(lock: Any, n: int) -> int:
                if fails[0] and n == 1:
                    raise ValueError
                return n

            use.map([threading.Lock(), threading.Lock()], range(2))
        return flow

    with pytest.raises(ParallelGroupError):
        made().execute(durable=store, executor="inline")
    fails[0] = False
    assert made().resume(store, executor="inline") == [0, 1]


@EXECUTORS
def test_a_result_that_can_not_be_written_down_fails_its_item(store: Path, executor: str) -> None:
    """At once, and by name."""
    with workflow("locked") as made:

        @task
        def lock(n: int) -> Any:
            return threading.Lock() if n == 1 else [n]

        lock.map(range(3)).with_execution(policy="best_effort")
    results = made.execute(durable=store, executor=executor)
    assert [type(result).__name__ for result in results] == ["list", "TaskSerializationError", "list"]
    assert "lock_map[1]" in str(results[1])


def test_results_belong_to_nobody_but_their_reader(store: Path) -> None:
    """A list that a body keeps and changes later is not what it returned then."""
    with workflow("shared") as made:
        kept: list[int] = []

        @task
        def add(n: int) -> Any:
            kept.append(n)
            return kept

        add.map(range(3))
    assert made.execute(durable=store, executor="inline") == [[0], [0, 1], [0, 1, 2]]


def test_what_an_item_wrote_is_what_it_was_then(store: Path) -> None:
    """As of any body in a durable run."""
    with workflow("changing") as made:

        @task(inject_context=True)
        def keep(ctx: Any, n: int) -> Any:
            value = [n]
            ctx.get_channel().set("kept", value)
            value.append(-1)
            return ctx.get_channel().get("kept")

        keep.map(range(3))
    result, context = made.execute(durable=store, executor="inline", ret_context=True)
    assert (result, context.channel.get("kept")) == ([[0], [1], [2]], [2])


def test_an_attempt_of_an_item_sees_and_keeps_what_those_before_it_wrote(store: Path, tmp_path: Path) -> None:
    """Also when these ran in an earlier process; the retries of a failed item are fresh."""
    fails = [True]

    def made() -> WorkflowContext:
        with workflow("writing") as flow:

            @task(inject_context=True, max_retries=1)
            def write(ctx: Any, n: int) -> Any:
                channel = ctx.get_channel()
                channel.append("tried", n)
                if n == 1 and (fails[0] or ctx.retry_count == 0):
                    raise ValueError
                return channel.get("tried"), ctx.retry_count

            write.map(range(3))
        return flow

    with pytest.raises(ParallelGroupError) as raised:
        made().execute(durable=store, executor="inline")
    assert isinstance(raised.value.__cause__, RetryLimitExceededError)
    fails[0] = False
    result, context = made().resume(store, executor="inline", ret_context=True)
    assert result == [([0], 0), ([1, 1], 1), ([2], 0)]
    assert context.channel.get("tried") == [0, 1, 1, 2]


def test_a_map_of_results_that_are_not_kept_is_refused(store: Path) -> None:
    """Nothing is lost silently."""
    with workflow("transient") as made:

        @task(transient=True)
        def lock(n: int) -> Any:
            return n

        lock.map(range(3))
    with pytest.raises(ConfigError, match=r"'lock_map'.*transient"):
        made.execute(durable=store)


def test_items_that_leave_the_program_are_run_by_who_goes_on(store: Path, bodies: Bodies) -> None:
    """`SystemExit` is no failure of the item."""

    def made(leaves: bool) -> WorkflowContext:
        with workflow("leaving") as flow:

            @task
            def item(n: int) -> int:
                with open(bodies.file, "a") as file:
                    file.write(f"{n}\n")
                if leaves and n == 1:
                    raise SystemExit(3)
                return n

            item.map(range(3))
        return flow

    with pytest.raises(SystemExit):
        made(True).execute(durable=store, executor="inline")
    assert bodies.ran() == ["0", "1"]
    assert made(False).resume(store, executor="inline") == [0, 1, 2]
    assert bodies.ran() == ["1", "2"]


def test_a_stream_begins_anew_in_the_process_that_goes_on(store: Path, bodies: Bodies) -> None:
    """It yields all results, also those of items that were done, whether the map was under way or had ended."""
    for failing in ({2, "last"}, {"last"}):
        found = []
        with pytest.raises(GraflowRuntimeError):
            for result in bodies.workflow(range(4), failing).stream(durable=store, run="s", executor="inline"):
                found.append(result)
        assert found == [10 * n for n in range(4) if n not in failing]
    assert bodies.ran() == ["0", "1", "2", "2", "3", "first", "last"]
    for again in (["last"], []):
        assert list(bodies.workflow(range(4)).stream(durable=store, run="s", executor="inline")) == [0, 10, 20, 30]
        assert bodies.ran() == again


def test_who_leaves_a_stream_can_go_on_with_it(store: Path, bodies: Bodies) -> None:
    """What was done by then stays done."""
    results = bodies.workflow(range(4)).stream(durable=store, run="s", executor="inline")
    assert [next(results), next(results)] == [0, 10]
    results.close()
    ran = bodies.ran()
    assert list(bodies.workflow(range(4)).stream(durable=store, run="s", executor="inline")) == [0, 10, 20, 30]
    assert sorted([*ran, *bodies.ran()]) == ["0", "1", "2", "3", "first", "last"]
