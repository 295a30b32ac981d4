"""What is recorded while a run goes on: a row for each attempt, wherever its body runs, with who released it."""

import json
import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import load_run, parallel, task, workflow
from graflow_fast._record.columns import ABANDONED, COMPLETED, FAILED, NOBODY, RETRIED, SKIPPED, TASK, Columns
from graflow_fast._store import list_runs
from graflow_fast.core.noop_tracer import NoopTracer
from graflow_fast.exceptions import ConfigError

PLACES = [
    (executor, schedule) for executor in ("inline", "thread", "process") for schedule in ("sequential", "parallel")
]


class Kept:
    """What a run wrote of itself, once it has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: Exception | None = None

    @property
    def counts(self) -> dict[str, int]:
        return json.loads(list_runs(self.path)[0]["counts"])  # type: ignore[no-any-return]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What is recorded next goes there."""
    path = tmp_path / "private" / "runs.db"
    monkeypatch.setenv("GRAFLOW_FAST_STORE", str(path))
    return Kept(path)


@pytest.fixture(params=PLACES, ids="-".join)
def place(request: Any) -> dict[str, Any]:
    executor, schedule = request.param
    return {"executor": executor, "schedule": schedule, "max_workers": 2}


def recorded(kept: Kept, execute: Callable[[], Any]) -> Columns:
    """The record of a run, with its error if it fails."""
    try:
        execute()
    except Exception as error:
        kept.error = error
    return load_run(kept.path).columns()


def rows(columns: Columns, *names: str) -> list[tuple[Any, ...]]:
    """Rows by name, in the order of their start, with some of their columns; nodes by name."""
    columns.node_name = [columns.names[node] for node in columns.node]
    columns.by = [columns.names[node] if node >= 0 else None for node in columns.released_by]
    found = sorted(range(len(columns.node)), key=lambda row: (math.isnan(columns.start[row]), columns.start[row]))
    return [tuple(getattr(columns, name)[row] for name in ("node_name", *names)) for row in found]


@task
def noop() -> None:
    """Nothing."""


def test_a_join_is_released_by_who_ended_last(kept: Kept, place: dict[str, Any]) -> None:
    with workflow("diamond") as wf:
        a, b, c, d = (noop(task_id=name) for name in "abcd")
        a >> b
        a >> c
        b >> d
        c >> d
        columns = recorded(kept, lambda: wf.execute(record=True, **place))
    by = dict(rows(columns, "by"))
    last = max("bc", key=lambda name: columns.end[columns.node_name.index(name)])
    assert (by["a"], by["b"], by["c"]) == (None, "a", "a")
    assert by["d"] in ("b", "c")
    if place["executor"] == "inline":
        assert by["d"] == last
    for row in range(4):
        assert columns.ready[row] <= columns.start[row] + 1e-6
        assert columns.start[row] <= columns.end[row] <= columns.meta["ended"]
    assert columns.meta["outcome"] == "completed"
    assert sorted(zip(columns.edges[::2], columns.edges[1::2], strict=True)) == [(0, 1), (0, 2), (1, 3), (2, 3)]


def test_retries_groups_loops_and_jumps(kept: Kept, place: dict[str, Any]) -> None:
    @task(max_retries=1, inject_context=True)
    def shaky(ctx: Any) -> None:
        ctx.get_channel().set("tried", ctx.get_channel().get("tried", 0) + 1)
        if ctx.get_channel().get("tried") < 2:
            raise ValueError("not yet")

    @task(inject_context=True)
    def twice(ctx: Any) -> None:
        if ctx.cycle_count < 2:
            ctx.next_iteration()

    @task(inject_context=True)
    def away(ctx: Any) -> None:
        ctx.next_task(ctx.graph.get_node("there"), goto=True)

    with workflow("course") as wf:
        group = parallel(shaky, noop(task_id="calm")).set_group_name("both")
        group >> twice >> away >> noop(task_id="passed") >> noop(task_id="there")
        columns = recorded(kept, lambda: wf.execute("both", record=True, **place))
    found = Counter(rows(columns, "outcome", "attempt", "by"))
    assert found == Counter(
        [
            ("shaky", RETRIED, 1, "both"),
            ("shaky", COMPLETED, 2, "shaky"),
            ("calm", COMPLETED, 1, "both"),
            ("both", COMPLETED, 1, None),
            ("twice", COMPLETED, 1, "both"),
            ("twice", COMPLETED, 1, "twice"),
            ("away", COMPLETED, 1, "twice"),
            ("there", COMPLETED, 1, "away"),
            ("passed", SKIPPED, 1, None),
        ]
    )
    failed = columns.outcome.index(RETRIED)
    assert columns.errors[failed][:2] == ("ValueError", "not yet")
    assert "raise ValueError" in columns.errors[failed][2]
    assert columns.worker[columns.node_name.index("both")] == NOBODY
    assert columns.members[columns.names.index("both")] == [columns.names.index("shaky"), columns.names.index("calm")]
    counts = {"completed": 7, "failed": 0, "retried": 1, "abandoned": 0, "under_way": 0, "skipped": 1}
    assert kept.counts == counts


def test_a_run_that_fails_says_which_attempt_and_what_was_left(kept: Kept, place: dict[str, Any]) -> None:
    @task
    def breaks() -> None:
        raise KeyError("gone")

    with workflow("broken") as wf:
        noop(task_id="first") >> breaks >> noop(task_id="never")
        columns = recorded(kept, lambda: wf.execute(record=True, **place))
    assert rows(columns, "outcome") == [("first", COMPLETED), ("breaks", FAILED)]
    assert columns.errors[1][0] == "KeyError"
    assert columns.meta["outcome"] == "failed"
    assert "gone" in columns.meta["error"]


def test_each_attempt_that_a_tracer_hears_of_has_a_row(kept: Kept, place: dict[str, Any]) -> None:
    ended: Counter[str] = Counter()

    class Counting(NoopTracer):
        def on_task_end(self, task: Any, context: Any, result: Any = None, error: Any = None) -> None:
            ended[task.task_id] += 1

        def clone(self, trace_id: str) -> "Counting":
            return Counting()

    @task(inject_context=True)
    def adds(ctx: Any, number: int) -> None:
        ctx.next_task(noop(task_id=f"added {number}"))

    def build(tracer: Any) -> Any:
        with workflow("adds", tracer=tracer) as wf:
            parallel(*[adds(task_id=f"adds {number}", number=number) for number in range(20)])
        return wf

    wf = build(Counting())
    wf.execute(**place)
    columns = recorded(kept, lambda: build(None).execute(record=True, **place))
    assert Counter(name for (name,) in rows(columns)) == ended
    assert sum(ended.values()) == 41


def test_what_is_stopped_is_told(kept: Kept) -> None:
    @task(inject_context=True)
    def stops(ctx: Any) -> None:
        ctx.terminate_workflow("enough")

    @task
    def waits() -> None:
        import time

        time.sleep(60)

    with workflow("stopped") as wf:
        parallel(stops, waits).set_group_name("both")
        columns = recorded(kept, lambda: wf.execute(record=True, executor="process", max_workers=2))
    assert set(rows(columns, "outcome")) == {
        ("stops", COMPLETED),
        ("waits", ABANDONED),
        ("both", COMPLETED),
    }
    assert columns.meta["outcome"] == "terminated"


def test_chunks_of_a_map_are_told_with_their_worker(kept: Kept, place: dict[str, Any]) -> None:
    @task
    def double(item: int) -> int:
        return 2 * item

    with workflow("mapped") as wf:
        double.map(range(10), chunk=5)
        columns = recorded(kept, lambda: wf.execute(record=True, **place))
    assert rows(columns) == [("double_map",)] * 3  # two chunks, and the map itself
    if place["executor"] == "process":
        assert sum(worker >= 0 for worker in columns.worker) == 2


def test_many_attempts_in_a_streak(kept: Kept) -> None:
    """Rows come in parts, and none is missing."""

    @task(inject_context=True, max_cycles=100_000)
    def counts(ctx: Any) -> None:
        if ctx.cycle_count < 40_000:
            ctx.next_iteration()

    with workflow("streak") as wf:
        noop(task_id="first") >> counts
        columns = recorded(kept, lambda: wf.execute(record=True, executor="inline"))
    assert len(columns.node) == 40_001
    assert sorted(columns.end) == list(columns.end)


def test_the_program_s_own_bytes_are_kept(kept: Kept) -> None:
    name = "a\ud800b\u2028</script>\0"

    @task
    def breaks() -> None:
        raise ValueError(name)

    with workflow("odd") as wf:
        breaks(task_id=name)
        columns = recorded(kept, lambda: wf.execute(record=True, executor="inline"))
    assert columns.names == [name]
    assert columns.errors[0][1] == name


def test_not_asked_for_it_is_not_there(kept: Kept) -> None:
    with workflow("plain") as wf:
        noop(task_id="only")
        wf.execute(executor="inline")
        _, context = wf.execute(executor="inline", record=False, ret_context=True)
    assert not kept.path.exists()
    with pytest.raises(ConfigError, match="record=True"):
        context.run.summary()


def test_a_context_has_the_record_of_its_run(kept: Kept, tmp_path: Path) -> None:
    with workflow("mine") as wf:
        noop(task_id="only")
        _, context = wf.execute(record=tmp_path / "other" / "runs.db", ret_context=True)
        wf.execute(record=True)
    assert [task.task for task in context.run.tasks()] == ["only"]
    assert context.run.columns().meta["workflow"] == "mine"
    assert load_run(run=1).summary().startswith("\u2713 mine: 1 task")
    with pytest.raises(ConfigError, match="no run 7 in"):
        load_run(run=7)


def test_a_full_disk_costs_the_record_and_not_the_run(kept: Kept) -> None:
    """Said in one warning."""
    import os
    import resource
    import signal

    class Big(Exception):
        def __str__(self) -> str:
            return os.urandom(30_000).hex()

    @task(max_retries=300)
    def fails() -> None:
        raise Big

    @task
    def last() -> int:
        return 3

    def run() -> Any:
        with workflow("full") as wf:
            parallel(fails, noop(task_id="calm")).with_execution(policy="best_effort") >> last
            return wf.execute(record=True, executor="inline", ret_context=True)[0]

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, usual[1]))
        with pytest.warns(RuntimeWarning, match=r"not complete: .*runs.db"):
            assert run() == 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
@pytest.mark.parametrize("keep", ["needed", "none"])
def test_tasks_that_were_forgotten_keep_their_names(kept: Kept, executor: str, keep: str) -> None:
    """Their node goes to others, many times between two writes of the record."""
    rounds = 300

    @task
    def leaf(n: int) -> None:
        pass

    @task
    def other(n: int) -> None:
        pass

    @task(inject_context=True, max_cycles=rounds)
    def grow(context: Any) -> None:
        number = context.cycle_count
        context.next_task((leaf, other)[number % 2](task_id=f"task {number}", n=number))  # type: ignore[call-arg]
        if number < rounds:
            context.next_iteration()

    with workflow("forgets") as wf:
        grow
    columns = recorded(kept, lambda: wf.execute("grow", record=True, executor=executor, keep_results=keep))
    assert kept.error is None
    found = rows(columns, "by")
    functions = {columns.names[node]: columns.functions[node] for node in columns.node}
    for number in range(1, rounds + 1):
        assert [row for row in found if row[0] == f"task {number}"] == [(f"task {number}", "grow")]
        assert functions[f"task {number}"] == ("other" if number % 2 else "leaf")
    assert len(found) == 2 * rounds


def test_rows_of_one_worker_do_not_overlap(kept: Kept, place: dict[str, Any]) -> None:
    """A body in a thread begins when the thread comes to it, not when it was handed over."""
    import time

    @task
    def sleeps(n: int) -> None:
        time.sleep(0.01)

    @task(inject_context=True)
    def asks(context: Any, n: int) -> None:
        time.sleep(0.01)

    with workflow("lanes") as wf:
        members = [each(task_id=f"{name}{n}", n=n) for name, each in (("s", sleeps), ("a", asks)) for n in range(4)]
        parallel(*members) >> sleeps.map(range(8), task_id="items", chunk=2)
    columns = recorded(kept, lambda: wf.execute(**place, record=True))
    lanes: dict[int, list[tuple[float, float]]] = {}
    kinds = (columns.kinds[node] for node in columns.node)
    for kind, worker, start, end in zip(kinds, columns.worker, columns.start, columns.end, strict=True):
        if kind == TASK:
            lanes.setdefault(worker, []).append((start, end))
    if place["executor"] != "inline":
        assert set(lanes) == {0, 1}
    assert sum(map(len, lanes.values())) >= 8
    for lane in lanes.values():
        lane.sort()
        assert all(one[1] <= other[0] + 1e-6 for one, other in pairwise(lane))
