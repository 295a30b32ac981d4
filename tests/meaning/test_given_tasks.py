"""`next_task(t)` runs `t`: also where its name stands for another task already, as in a loop that makes tasks anew.

Every program runs on every placement. Owns no engine internals.
"""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast import parallel, task, workflow

pytestmark = pytest.mark.parametrize("place", ["inline", "thread", "process", "auto"])


@task
def shout(n: Any) -> Any:
    print("shout", n)
    return n


def run(wf: Any, place: str, start: str, **options: Any) -> Any:
    return wf.execute(start, executor=place, max_workers=2, ret_context=True, **options)[1]


def test_a_loop_gives_a_task_new_arguments(place: str, capsys: Any) -> None:
    with workflow("loop") as wf:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            ctx.next_task(shout(task_id="same", n=n))
            if n < 30:
                ctx.next_iteration(n + 10)

        context = run(wf, place, "loop")
    assert capsys.readouterr().out == "shout 0\nshout 10\nshout 20\nshout 30\n"
    assert context.get_result("same") == 30
    assert list(wf.graph.nodes) == ["loop", "same"]


def test_a_body_gives_one_name_to_several_tasks(place: str, capsys: Any) -> None:
    with workflow("several") as wf:

        @task(inject_context=True)
        def several(ctx: Any) -> None:
            for n in range(3):
                ctx.next_task(shout(task_id="same", n=n))

        run(wf, place, "several")
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout 2\n"


def test_a_task_defined_anew_in_each_round_captures_that_round(place: str, capsys: Any) -> None:
    with workflow("closures") as wf:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            @task
            def extra() -> None:
                print("extra", n)

            ctx.next_task(extra)
            if n < 2:
                ctx.next_iteration(n + 1)

        run(wf, place, "loop")
    assert capsys.readouterr().out == "extra 0\nextra 1\nextra 2\n"


def test_a_task_that_jumps_to_itself_with_other_arguments(place: str, capsys: Any) -> None:
    with workflow("countdown") as wf:

        @task(inject_context=True)
        def count(ctx: Any, n: int) -> int:
            print("count", n, ctx.cycle_count)
            if n:
                ctx.next_task(count(task_id="counter", n=n - 1), goto=True)
            return n

        count(task_id="counter", n=3) >> shout(task_id="end", n="end")
        context = run(wf, place, "counter")
    assert capsys.readouterr().out == "count 3 1\ncount 2 2\ncount 1 3\ncount 0 4\nshout end\n"
    assert context.get_result("counter") == 0


def test_a_batch_made_anew_in_each_round(place: str, capsys: Any) -> None:
    with workflow("batches") as wf:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            ctx.next_task(parallel(shout(task_id="w0", n=n), shout(task_id="w1", n=n + 1)))
            if n < 20:
                ctx.next_iteration(n + 10)

        context = run(wf, place, "loop")
    assert capsys.readouterr().out == "".join(f"shout {n}\n" for n in (0, 1, 10, 11, 20, 21))
    assert context.get_result("w1") == 21


def test_a_named_batch_of_chains_made_anew_in_each_round(place: str, capsys: Any) -> None:
    with workflow("chains") as wf:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            first, second = (shout(task_id=f"w{k}", n=n + k) >> shout(task_id=f"x{k}", n=-n - k) for k in range(2))
            ctx.next_task((first | second).set_group_name("batch") >> shout(task_id="end", n=f"end {n}"))
            if n < 10:
                ctx.next_iteration(n + 10)

        run(wf, place, "loop")
    rounds = [f"shout {n}\nshout {-n}\nshout {n + 1}\nshout {-n - 1}\nshout end {n}\n" for n in (0, 10)]
    assert capsys.readouterr().out == "".join(rounds)


def test_a_given_task_has_its_own_limits(place: str, capsys: Any) -> None:
    with workflow("limits") as wf:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            @task(id="tried", inject_context=True, max_retries=2 - n)
            def tried(ctx: Any) -> None:
                print("try", ctx.retry_count)
                if ctx.retry_count < 2 - n:
                    raise ValueError("again")

            ctx.next_task(tried)
            if n < 2:
                ctx.next_iteration(n + 1)

        run(wf, place, "loop")
    # Those of the first round are tried three times, of the second twice, of the third once; a retry goes to the end.
    assert capsys.readouterr().out == "try 0\ntry 1\ntry 0\ntry 2\ntry 1\ntry 0\n"


def test_a_given_task_may_iterate(place: str, capsys: Any) -> None:
    with workflow("iterating") as wf:

        @task(inject_context=True)
        def twice(ctx: Any, start: int, n: int = 0) -> int:
            print("twice", start, n)
            if n == 0:
                ctx.next_iteration(1)
            return start + n

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            @task(id="twice", inject_context=True)
            def body(ctx: Any, i: int = 0) -> int:
                print("twice", n, i)
                if i == 0:
                    ctx.next_iteration(1)
                return n + i

            ctx.next_task(body)
            if n < 20:
                ctx.next_iteration(n + 10)

        context = run(wf, place, "loop")
    assert sorted(capsys.readouterr().out.split("\n")) == sorted(
        ["", *(f"twice {n} {i}" for n in (0, 10, 20) for i in (0, 1))]
    )
    assert context.get_result("twice") == 21


def test_members_in_every_round_run_what_they_made(place: str, capsys: Any) -> None:
    with workflow("rounds") as wf:

        @task(inject_context=True)
        def member(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="same", n=ctx.get_channel().get("round", 0) * 10 + i))

        @task(inject_context=True)
        def again(ctx: Any) -> None:
            channel = ctx.get_channel()
            channel.set("round", channel.get("round", 0) + 1)
            if channel.get("round") < 2:
                ctx.next_task(ctx.graph.get_node("members"), goto=True)

        parallel(member(task_id="m0", i=0), member(task_id="m1", i=1)).set_group_name("members") >> again
        run(wf, place, "members")
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout 10\nshout 11\n"


def test_work_that_waits_at_a_checkpoint_keeps_its_arguments(place: str, capsys: Any, tmp_path: Any) -> None:
    from graflow_fast.core.checkpoint import CheckpointManager
    from graflow_fast.core.engine import WorkflowEngine

    path = str(tmp_path / "saved.pkl")
    with workflow("saved") as wf:

        @task(inject_context=True)
        def enqueue(ctx: Any) -> None:
            ctx.next_task(shout(task_id="same", n="first"))
            ctx.next_task(shout(task_id="same", n="second"))
            ctx.next_task(parallel(shout(task_id="same", n="third"), shout(task_id="other", n="fourth")))
            ctx.checkpoint(path=path)

        run(wf, place, "enqueue")
    said = capsys.readouterr().out
    assert said == "shout first\nshout second\nshout third\nshout fourth\n"
    context, _ = CheckpointManager.resume_from_checkpoint(path)
    WorkflowEngine().execute(context)
    assert capsys.readouterr().out == said


def test_a_workflow_runs_again_as_it_was_defined(place: str, capsys: Any) -> None:
    """What bodies added is in the graph, but starts nothing."""
    with workflow("again") as wf:

        @task(inject_context=True)
        def only(ctx: Any) -> None:
            ctx.next_task(shout(task_id="first", n=1) >> (shout(task_id="left", n=2) | shout(task_id="right", n=3)))

        for _ in range(3):
            wf.execute(executor=place, max_workers=2)
            assert capsys.readouterr().out == "shout 1\nshout 2\nshout 3\n"
        assert wf.graph.get_start_nodes() == ["only"]
        only >> shout(task_id="after", n=4)
        assert wf.graph.get_start_nodes() == ["only"]
        wf.execute(executor=place, max_workers=2)
    assert capsys.readouterr().out == "shout 1\nshout 4\nshout 2\nshout 3\n"


@pytest.mark.parametrize("way", ["instance", "map"])
def test_what_a_body_makes_of_a_task_does_not_change_where_the_workflow_starts(place: str, way: str) -> None:
    """Only definitions count, which are the same wherever the body ran."""
    with workflow("starts") as wf:

        @task(inject_context=True)
        def first(ctx: Any) -> None:
            ctx.next_task(other(task_id="made", n=1) if way == "instance" else other.map([1]))

        @task
        def other(n: Any) -> Any:
            return n

        wf.execute("first", executor=place, max_workers=1)
        assert wf.graph.get_start_nodes() == ["first", "other"]
        other(task_id="defined", n=2)
        assert wf.graph.get_start_nodes() == ["first", "defined"]


def test_a_task_under_the_name_of_a_group_and_the_other_way_round(place: str, capsys: Any) -> None:
    with workflow("kinds") as wf:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            ctx.next_task(shout(task_id="group", n="a task"))
            ctx.next_task((shout(task_id="left", n=1) | shout(task_id="right", n=2)).set_group_name("single"))

        shout(task_id="single", n="not this one")
        (shout(task_id="a", n="nor this") | shout(task_id="b", n="nor that")).set_group_name("group")
        run(wf, place, "start")
    assert capsys.readouterr().out == "shout a task\nshout 1\nshout 2\n"


def test_a_map_under_the_name_of_a_task_and_the_other_way_round(place: str, capsys: Any) -> None:
    with workflow("maps") as wf:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            ctx.next_task(shout.map([1, 2], task_id="single"))
            ctx.next_task(shout(task_id="many", n="a task"))
            ctx.next_task(shout.map([3, 4], task_id="many"))

        shout(task_id="single", n="not this one")
        shout.map(["nor this"], task_id="many")
        context = run(wf, place, "start")
    assert capsys.readouterr().out == "shout 1\nshout 2\nshout a task\nshout 3\nshout 4\n"
    assert context.get_result("single") == [1, 2]
    assert context.get_result("many") == [3, 4]
