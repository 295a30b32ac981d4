"""What plain steps leave by node is what their tables by name say, whenever somebody asks."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from graflow_fast import chain, task, workflow
from graflow_fast._core import NodeIds, StepTimes
from graflow_fast.core._runtime_record import RuntimeRecord


@task
def plain() -> None:
    pass


def test_counts_are_there_when_asked_for_and_stay_up_to_date() -> None:
    seen: list[Any] = []

    @task(inject_context=True)
    def again(ctx: Any) -> None:
        cycles = ctx.execution_context.cycle_controller
        seen.append(cycles.get_cycle_count("again"))
        if len(seen) == 3:
            seen.append(cycles.cycle_counts)
            assert cycles.cycle_counts == {"first": 1, "again": 3}
        if len(seen) < 6:
            ctx.next_task(again, goto=True)

    with workflow("w") as flow:
        again.max_cycles = 10
        plain(task_id="first") >> again >> plain(task_id="last")
    _, context = flow.execute(ret_context=True)
    held = seen.pop(3)
    assert seen == [1, 2, 3, 4, 5]
    assert held == context.cycle_controller.cycle_counts == {"first": 1, "again": 5, "last": 1}
    assert held is context.cycle_controller.cycle_counts


def test_counts_of_a_run_that_nobody_asked_are_in_the_order_of_running() -> None:
    with workflow("w") as flow:
        tasks = [plain(task_id=f"n{number}") for number in range(5)]
        chain(*reversed(tasks))
    _, context = flow.execute(ret_context=True)
    expected = [f"n{number}" for number in reversed(range(5))]
    assert context.completed_tasks == expected
    restored = pickle.loads(pickle.dumps(context.cycle_controller))
    for cycles in (restored, context.cycle_controller):
        assert [cycles.get_cycle_count(name) for name in ["n3", "unknown"]] == [1, 0]
        assert list(cycles.cycle_counts.items()) == [(name, 1) for name in expected]


@pytest.mark.parametrize("look", [False, True])
def test_a_task_is_completed_once_by_hand_or_not_and_made_anew_or_not(look: bool) -> None:
    @task(inject_context=True)
    def start(ctx: Any, left: int) -> int:
        context = ctx.execution_context
        if look:
            assert ("start" in context._completed) == (left < 4)
        if left == 2:
            context.mark_task_completed("by hand")
            context.mark_task_completed("made")
        if left:
            ctx.next_task(start(task_id="made", left=left - 1))
        return left

    with workflow("w") as flow:
        start(task_id="start", left=4)
    _, context = flow.execute("start", ret_context=True)
    assert context.completed_tasks == ["start", "made", "by hand"]
    assert context.cycle_controller.cycle_counts == {"start": 1, "made": 4}
    assert context.get_result("made") == 0


def test_tasks_of_one_name_are_counted_together_whichever_node_runs() -> None:
    @task
    def given(extra: int) -> int:
        return extra

    @task(inject_context=True)
    def start(ctx: Any, rounds: int) -> None:
        for number in range(rounds):
            ctx.next_task(given(task_id="a", extra=number) >> given(task_id="b", extra=number))

    with workflow("w") as flow:
        start(task_id="start", rounds=3)
    _, context = flow.execute("start", ret_context=True)
    assert context.completed_tasks == ["start", "a", "b"]
    assert [context.cycle_controller.get_cycle_count(name) for name in ["start", "a", "b"]] == [1, 3, 3]
    assert context.cycle_controller.cycle_counts == {"start": 1, "a": 3, "b": 3}
    assert context.get_result("b") == 2


def test_numbers_of_nodes_are_found_by_name() -> None:
    names = ["a", "b", "\ud800", "a"]
    ids = NodeIds(names)
    for node, name in enumerate(names[:3]):
        ids[name] = node
    assert [ids.get(name) for name in ["a", "b", "\ud800", "c", 1]] == [0, 1, 2, None, None]  # type: ignore[arg-type]
    ids["a"] = 3
    assert (ids["a"], len(ids), list(ids), "a" in ids) == (3, 3, ["b", "\ud800", "a"], True)
    del ids["a"]
    assert (ids.get("a", 7), "a" in ids, len(ids)) == (7, False, 2)
    with pytest.raises(KeyError, match="a"):
        ids["a"]
    with pytest.raises(KeyError, match="a"):
        del ids["a"]
    with pytest.raises(ValueError, match="node 1 has another name than 'a'"):
        ids["a"] = 1
    with pytest.raises(ValueError, match="node 9 has another name than 'a'"):
        ids["a"] = 9


def test_times_of_many_steps_are_kept_in_order() -> None:
    times = StepTimes()
    for number in range(3000):
        times.add(f"n{number}", number + 0.5, number + 0.75)
    assert len(times) == 3000
    for kept in (times, pickle.loads(pickle.dumps(times))):
        assert kept.names() == [f"n{number}" for number in range(3000)]
        assert kept.times()[-2:] == [2999.5, 2999.75]
    times.clear()
    assert (len(times), times.names()) == (0, [])


def test_a_record_knows_what_never_started() -> None:
    record = RuntimeRecord()
    record.note("a", 1.0, 2.0, None, "TaskWrapper", "direct")
    record.note("b", None, 3.5, ValueError("no"), "TaskWrapper", "process")
    record.note("c", 4.0, None, None, "TaskWrapper", "direct")
    assert record.order == ["a", "b", "c"]
    a, b, c = record.as_dict()["nodes"]
    assert (a["end_time"] - a["start_time"]).total_seconds() == 1
    assert (b["start_time"], b["end_time"].timestamp(), b["status"]) == (None, 3.5, "failed")
    assert (c["start_time"].timestamp(), c["end_time"]) == (4.0, None)
    assert record.order == ["a", "b", "c"]
