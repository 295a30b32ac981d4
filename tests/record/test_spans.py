"""The spans of a run, as OpenTelemetry's own exporter in memory gets them."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from runs import Recorder, census

from graflow_fast import load_run, parallel, task, workflow
from graflow_fast._record.columns import COMPLETED, FAILED
from graflow_fast.exceptions import GraflowRuntimeError

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Collector:
    """A provider, and what was told to it."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def of(self, run: Any, **options: Any) -> tuple[ReadableSpan, list[ReadableSpan]]:
        """Return a run's span, and those below it."""
        self.exporter.clear()
        count = run.export_spans(self.provider, **options)
        *below, span = self.exporter.get_finished_spans()
        assert count == len(below) + 1
        return span, below


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.delenv("TRACEPARENT", raising=False)
    return Collector()


def test_each_attempt_is_a_span_with_the_times_of_the_record(collector: Collector) -> None:
    run = census()
    span, below = collector.of(run)
    assert span.name == "run census"
    assert span.parent is None
    zero = span.start_time or 0
    told = [task for task in run.tasks() if task.ready is not None or task.start is not None]
    assert len(below) == len(told) > 3
    for one, row in zip(below, told, strict=True):
        assert one.parent is not None
        assert one.parent.span_id == span.context.span_id
        assert one.name == (row.function or row.task)
        assert one.attributes is not None
        assert one.attributes["graflow.task.id"] == row.task
        assert one.attributes["graflow.attempt"] == row.attempt
        assert one.attributes.get("graflow.released_by") == row.released_by
        if row.start is not None and row.end is not None:
            assert ((one.start_time or 0) - zero) / 1e9 == pytest.approx(row.start, abs=1e-6)
            assert ((one.end_time or 0) - zero) / 1e9 == pytest.approx(row.end, abs=1e-6)


def test_a_real_run_that_failed_says_where_and_why(collector: Collector, tmp_path: Any) -> None:
    with workflow("census") as wf:

        @task(max_retries=1)
        def measure(n: int) -> None:
            if n == 1:
                raise ValueError("bad header")

        parallel(*[measure(task_id=f"m{n}", n=n) for n in range(3)])
    with pytest.raises(GraflowRuntimeError):
        wf.execute(record=tmp_path / "runs.db", executor="process")
    span, below = collector.of(load_run(tmp_path / "runs.db"))
    assert span.status.status_code is trace.StatusCode.ERROR
    failed = [one for one in below if one.attributes and one.attributes["graflow.task.id"] == "m1"]
    assert [(one.name, one.attributes["graflow.status"]) for one in failed if one.attributes] == [
        ("measure", "retried"),
        ("measure", "failed"),
    ]
    for one in failed:
        assert one.attributes is not None
        assert one.attributes["error.type"] == "ValueError"
        assert one.status.description == "ValueError: bad header"


def test_the_parent_is_the_span_around_else_the_environment_s(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT)
    span, below = collector.of(census())
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == PARENT[3:-3]
    assert {one.context.trace_id for one in below} == {span.context.trace_id}
    with collector.provider.get_tracer("test").start_as_current_span("around") as around:
        span, _ = collector.of(census())
    assert span.parent is not None
    assert span.parent.span_id == around.get_span_context().span_id
    monkeypatch.setenv("TRACEPARENT", "nonsense")
    span, _ = collector.of(census())
    assert span.parent is None


def flat(tasks: int) -> Any:
    """Return a run of tasks that are in no group; every hundredth failed."""
    made = Recorder()
    for number in range(tasks):
        made.row(f"t{number}", number, number + 1, outcome=FAILED if number % 100 == 99 else COMPLETED)
    return made.run()


def test_no_more_spans_than_a_backend_bears_those_that_failed_among_them(collector: Collector) -> None:
    span, below = collector.of(flat(10_500))
    assert len(below) == 10_000
    statuses = Counter(one.attributes["graflow.status"] for one in below if one.attributes)
    assert statuses == {"completed": 10_000 - 105, "failed": 105}
    assert span.attributes is not None
    assert span.attributes["graflow.spans_left_out"] == 500
    span, below = collector.of(flat(1_000), most=5)
    assert [one.attributes["graflow.status"] for one in below if one.attributes] == ["failed"] * 5


def test_a_large_group_is_one_span_that_counts(collector: Collector, tmp_path: Any) -> None:
    with workflow("wide") as wf:

        @task
        def member(n: int) -> None:
            pass

        parallel(*[member(task_id=f"m{n}", n=n) for n in range(1_001)]).set_group_name("all")
    wf.execute(record=tmp_path / "runs.db", executor="inline")
    _, (group,) = collector.of(load_run(tmp_path / "runs.db"))
    assert group.attributes is not None
    assert group.attributes["graflow.task.id"] == "all"
    assert group.attributes["graflow.group.size"] == group.attributes["graflow.group.completed"] == 1_001


def test_a_run_without_rows_is_a_span(collector: Collector) -> None:
    span, below = collector.of(Recorder().run())
    assert below == []
    assert (span.end_time or 0) >= (span.start_time or 0)


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_spans_of_bodies_lie_below_the_one_around_the_run(executor: str, collector: Collector) -> None:
    with workflow("traced") as wf:

        @task
        def member(n: int) -> tuple[str, str]:
            from opentelemetry.sdk.trace import TracerProvider

            with TracerProvider().get_tracer("body").start_as_current_span("own") as span:
                parent = span.parent
            return f"{span.get_span_context().trace_id:032x}", "" if parent is None else f"{parent.span_id:016x}"

        @task
        def after() -> Any:
            return member.run(n=0)

        @task(inject_context=True)
        def collect(ctx: Any) -> Any:
            return [ctx.get_result(name) for name in ("a", "b", "after")]

        (member(task_id="a", n=1) | member(task_id="b", n=2)) >> after >> collect
    tracer = collector.provider.get_tracer("test")
    for name in ("first", "second"):
        with tracer.start_as_current_span(name) as around:
            found = wf.execute(executor=executor, max_workers=2)
        here = around.get_span_context()
        assert found == [(f"{here.trace_id:032x}", f"{here.span_id:016x}")] * 3
    parents = {parent for _, parent in wf.execute(executor=executor, max_workers=2)}
    assert parents == {""}, "outside of the span there is none"


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_spans_of_bodies_of_a_recorded_run_lie_below_their_attempt_s(
    executor: str, collector: Collector, tmp_path: Any
) -> None:
    with workflow("traced") as wf:

        def own() -> tuple[str, str]:
            from opentelemetry.sdk.trace import TracerProvider

            with TracerProvider().get_tracer("body").start_as_current_span("own") as span:
                assert span.parent is not None
                return f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}"

        @task
        def member(n: int) -> tuple[str, str]:
            return own()

        @task(max_retries=1, inject_context=True)
        def flaky(ctx: Any) -> Any:
            ctx.get_channel().append("flaky", own())
            if ctx.retry_count == 0:
                raise ValueError("once more")
            return ctx.get_channel().get("flaky")

        @task(inject_context=True)
        def rounds(ctx: Any) -> Any:
            ctx.get_channel().append("rounds", own())
            if ctx.cycle_count < 3:
                ctx.next_iteration()
            return ctx.get_channel().get("rounds")

        @task
        def items(n: int) -> tuple[str, str]:
            return own()

        @task
        def plain() -> tuple[str, str]:
            return own()

        (
            (member(task_id="a", n=1) | member(task_id="b", n=2))
            >> flaky
            >> rounds
            >> items.map(range(3), chunk=2)
            >> plain
        )
    with collector.provider.get_tracer("test").start_as_current_span("around") as around:
        _, context = wf.execute(executor=executor, max_workers=2, record=tmp_path / "runs.db", ret_context=True)
        assert trace.get_current_span() is around, "it is as before"
    run, below = collector.of(load_run(tmp_path / "runs.db"))
    assert run.parent is not None
    assert run.parent.span_id == around.get_span_context().span_id, "as it was when it ran"
    ids: dict[str, list[str]] = {}
    for span in below:
        assert span.attributes is not None
        ids.setdefault(str(span.attributes["graflow.task.id"]), []).append(f"{span.context.span_id:016x}")
    assert len({id for each in ids.values() for id in each}) == len(below)
    found = {name: context.get_result(name) for name in ("a", "b", "flaky", "rounds", "items_map", "plain")}
    found = {name: each if isinstance(each, list) else [each] for name, each in found.items()}
    assert {trace_id for each in found.values() for trace_id, _ in each} == {f"{run.context.trace_id:032x}"}
    parents = {name: [parent for _, parent in each] for name, each in found.items()}
    assert [parents[name] for name in ("a", "b", "plain")] == [ids[name] for name in ("a", "b", "plain")]
    assert (parents["flaky"], parents["rounds"]) == (ids["flaky"], ids["rounds"])
    assert parents["items_map"] == [ids["items_map"][-1]] * 3, "chunks come before the map that they are of"


def test_a_body_that_does_not_trace_imports_nothing_for_it(tmp_path: Any) -> None:
    program = tmp_path / "plain.py"
    program.write_text(
        "import sys\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from graflow_fast import task, workflow\n"
        "def body(): return 'opentelemetry' in sys.modules\n"
        "with workflow('plain') as wf:\n"
        "    task('body')(body)\n"
        "    with TracerProvider().get_tracer('t').start_as_current_span('around'):\n"
        "        print(wf.execute(executor='process'), wf.execute(executor='inline'))"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_without_opentelemetry_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None; sys.path.insert(0, 'tests/record')\n"
        "from runs import census\n"
        "try: census().export_spans()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'graflow-fast[otel]'" in done.stdout
