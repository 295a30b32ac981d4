"""What a run would have taken: the real scheduler, in virtual time, with what each attempt took."""

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from runs import Recorder, census

from graflow_fast import parallel, task, workflow
from graflow_fast._record.columns import FAILED, RETRIED
from graflow_fast._record.run import RecordedRun
from graflow_fast.exceptions import ConfigError


def fan(members: int, workers: int, seconds: float = 1.0) -> RecordedRun:
    """first > members, each of a second, on workers > last."""
    made = Recorder(workers=workers, schedule="sequential")
    names = [f"work_{number}" for number in range(members)]
    made.row("first", 0.0, 1.0, worker=-1)
    made.group("all", names)
    made.edge("first", "all")
    made.edge("all", "last")
    for number, name in enumerate(names):
        start = 1.0 + number // workers * seconds
        made.row(name, start, start + seconds, by="all", ready=1.0, branch=number + 1, worker=number % workers)
    end = 1.0 + -(-members // workers) * seconds
    made.row("all", end, end, by="first", ready=1.0, worker=-2)
    made.row("last", end, end + 1.0, by="all", worker=-1)
    return made.run(ended=end + 1.0)


@pytest.mark.parametrize(("workers", "seconds"), [(1, 10.0), (2, 6.0), (4, 4.0), (8, 3.0), (100, 3.0)])
def test_members_take_as_many_rounds_as_the_workers_need(workers: int, seconds: float):
    assert fan(8, 2).what_if(workers=workers) == pytest.approx(seconds)


def test_without_a_change_it_is_what_was_measured():
    run = fan(8, 2)
    assert run.what_if() == pytest.approx(run.figures.wall)
    assert census().what_if() == pytest.approx(census().figures.wall, rel=0.05)


def test_faster_and_without():
    run = fan(8, 2)
    assert run.what_if(faster={"work": 2}) == pytest.approx(4.0)
    assert run.what_if(faster={"work_0": 2, "last": 4}) == pytest.approx(5.25)
    assert run.what_if(without=["all"]) == run.what_if(without="work") == pytest.approx(2.0)
    assert run.what_if(workers=1, without=["first", "last"]) == pytest.approx(8.0)


def test_a_chain_gains_nothing_by_workers():
    made = Recorder(schedule="sequential")
    for number in range(4):
        by = f"step_{number - 1}" if number else None
        made.row(f"step_{number}", number, number + 1.0, by=by)
        if by:
            made.edge(by, f"step_{number}")
    run = made.run(ended=4.0)
    assert [run.what_if(workers=count) for count in (1, 8)] == pytest.approx([4.0, 4.0])


def test_a_pause_before_a_retry_stays():
    made = Recorder(schedule="sequential")
    made.row("flaky", 0.0, 1.0, worker=-1, outcome=RETRIED)
    made.row("flaky", 6.0, 7.0, by="flaky", worker=-1, attempt=2)
    run = made.run(ended=7.0)
    assert run.what_if() == pytest.approx(7.0)
    assert run.what_if(faster={"flaky": 2}) == pytest.approx(6.0)


def test_a_lane_lets_no_more_of_its_tasks_run_at_once():
    run = fan(4, 1)
    columns = run.columns()
    columns.lanes = {1: (2, ())}
    columns.options = {node: (0, 1) for node, name in enumerate(columns.names) if name.startswith("work")}
    assert run.what_if(workers=4) == pytest.approx(4.0)


def test_a_task_that_jumped_jumps_and_one_that_asked_for_others_asks():
    made = Recorder(schedule="sequential")
    made.edge("choose", "usual")
    made.row("choose", 0.0, 1.0, worker=-1)
    made.row("other", 1.0, 2.0, by="choose", worker=-1)
    assert made.run(ended=2.0).what_if() == pytest.approx(2.0)
    made = Recorder(schedule="sequential")
    made.edge("choose", "usual")
    made.row("choose", 0.0, 1.0, worker=-1)
    made.row("other", 1.0, 2.0, by="choose", worker=-1)
    made.row("usual", 2.0, 5.0, by="choose", ready=1.0, worker=-1)
    assert made.run(ended=5.0).what_if() == pytest.approx(5.0)


def test_a_run_that_failed_ends_where_it_ended():
    made = Recorder(schedule="sequential")
    made.edge("first", "second")
    made.row("first", 0.0, 1.0, worker=-1, outcome=FAILED, error=("ValueError", "no", ""))
    made.node("second")
    assert made.run(ended=1.0, outcome="failed").what_if() == pytest.approx(1.0)


def test_a_worker_that_came_late_comes_late_again():
    made = Recorder(workers=2, schedule="sequential")
    made.group("all", ["work_0", "work_1", "work_2"])
    made.row("work_0", 1.0, 2.0, by="all", ready=0.0, branch=1, worker=0)
    made.row("work_1", 3.0, 4.0, by="all", ready=0.0, branch=2, worker=1)
    made.row("work_2", 2.0, 4.0, by="all", ready=0.0, branch=3, worker=0)
    made.row("all", 4.0, 4.0, ready=0.0, worker=-2)
    run = made.run(ended=4.0)
    assert run.what_if(workers=1) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers=0"),
        ({"workers": True}, "workers=True"),
        ({"without": ["lsat"]}, "no task and no function 'lsat'.*last"),
        ({"faster": {"work": 0}}, "faster"),
    ],
)
def test_a_question_without_sense_is_refused(options: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        fan(2, 2).what_if(**options)


def a_program(kind: str) -> Any:
    """A workflow whose bodies take their time."""
    with workflow(kind) as wf:

        @task
        def first() -> None:
            time.sleep(0.01)

        @task
        def work(number: int) -> None:
            time.sleep(0.005 + 0.01 * Random(number).random())

        @task
        def last() -> None:
            time.sleep(0.01)

        if kind == "fan":
            first >> parallel(*[work(task_id=f"w{n}", number=n) for n in range(16)]) >> last  # type: ignore[call-arg]
        elif kind == "map":
            first >> work.map(range(16)) >> last
        else:

            @task(inject_context=True)
            def rounds(ctx: Any) -> None:
                time.sleep(0.01)
                done = (ctx.get_channel().get("rounds") or 0) + 1
                ctx.get_channel().set("rounds", done)
                if done < 4:
                    ctx.next_iteration()
                elif done == 4:
                    ctx.next_task(again, goto=True)

            @task(inject_context=True)
            def again(ctx: Any) -> None:
                time.sleep(0.01)
                ctx.next_task(work(task_id="made", number=1))  # type: ignore[call-arg]
                ctx.next_task(rounds)

            first >> rounds >> last
    return wf


@pytest.mark.parametrize("kind", ["fan", "map", "loops"])
@pytest.mark.parametrize("place", [("inline", "sequential"), ("process", "sequential"), ("process", "parallel")])
def test_a_real_run_with_its_own_workers_takes_what_was_measured(kind: str, place: tuple[str, str], tmp_path: Path):
    executor, schedule = place
    _, context = a_program(kind).execute(
        record=tmp_path / "runs.db", executor=executor, schedule=schedule, max_workers=2, ret_context=True
    )
    measured, answer = context.run.figures.wall, context.run.what_if(workers=2)
    # On a quiet machine they are within 5 %; what a busy one adds between bodies is not the run's.
    assert measured / 2 < answer <= 1.05 * measured
    if executor == "process" and kind != "loops":
        assert context.run.what_if(workers=1) > context.run.what_if(workers=2)


def test_the_command_answers_for_several_numbers_of_workers(tmp_path: Path):
    a_program("fan").execute(record=tmp_path / "runs.db", executor="inline")
    command = [sys.executable, "-m", "graflow_fast", "what-if", "--store", str(tmp_path / "runs.db")]

    def said(*words: str) -> str:
        return subprocess.run([*command, *words], capture_output=True, text=True, check=True).stdout

    answers = json.loads(said("--workers", "1,2", "--faster", "work=2", "--without", "last", "--json"))
    assert answers["format"] == 1
    assert [each["workers"] for each in answers["answers"]] == [1, 2]
    assert all(0 < each["seconds"] < answers["measured"] for each in answers["answers"])
    assert "calling thread" in said("--workers", "1,2")
