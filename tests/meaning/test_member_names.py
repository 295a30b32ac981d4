"""Names that members of a group give to tasks they make: each branch has its own, until the group joins.

Every program runs on every placement. Owns no engine internals.
"""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError

PLACES = ["inline", "thread", "process"]

pytestmark = pytest.mark.parametrize("place", PLACES)


@task
def shout(n: Any) -> Any:
    print("shout", n)
    return n


@task
def louder(n: Any) -> Any:
    print("louder", n)
    return n


def run(wf: Any, place: str, **options: Any) -> Any:
    return wf.execute(executor=place, max_workers=2, ret_context=True, **options)[1]


def group_of(count: int, body: Any, **bound: Any) -> Any:
    """Return a group ``m0 | m1 | ...`` of instances of ``body``, numbered by their parameter ``i``."""
    member = task(inject_context=True)(body)
    return parallel(*[member(task_id=f"m{i}", i=i, **bound) for i in range(count)])


def test_each_member_runs_its_own_task(place: str, capsys: Any) -> None:
    with workflow("own") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="same", n=i))

        group_of(3, enqueue)
        context = run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout 2\n"
    assert context.get_result("same") == 2  # as writes: the last member's
    assert [name for name in wf.graph.nodes if name == "same"] == ["same"]
    assert wf.graph.get_node("same")._bound_kwargs == {"n": 0}  # and the first member's task has the name


def test_a_task_with_writes_and_tasks_of_its_own_runs_under_a_shared_name(place: str, capsys: Any) -> None:
    with workflow("chained") as wf:

        @task(inject_context=True)
        def again(ctx: Any, i: int) -> None:
            ctx.get_channel().append("seen", i)
            ctx.next_task(shout(task_id="last", n=i * 10))

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(again(task_id="same", i=i))

        group_of(3, enqueue)
        context = run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 10\nshout 20\n"
    assert context.channel.get("seen") == [0, 1, 2]


def test_fragments_of_one_name_do_not_clash(place: str, capsys: Any) -> None:
    with workflow("fragments") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            first, left, right = shout(task_id="first", n=i), louder(task_id="left", n=i), louder(task_id="right", n=-i)
            ctx.next_task(first >> (left | right).set_group_name("both") >> shout(task_id="end", n=i * 10))

        group_of(3, enqueue)
        context = run(wf, place)
    said = [f"shout {i}\nlouder {i}\nlouder {-i}\nshout {i * 10}\n" for i in range(3)]
    assert capsys.readouterr().out == "".join(said)
    assert context.get_result("end") == 20
    assert wf.graph.successors("first") == ["both"]
    assert wf.graph.successors("both") == ["end"]


def test_a_member_sees_its_own_tasks_and_not_those_of_others(place: str) -> None:
    with workflow("seen") as wf:

        @task(inject_context=True)
        def look(ctx: Any, i: int) -> list[bool]:
            return [ctx.graph.has_node(f"made{k}") for k in range(3)]

        def enqueue(ctx: Any, i: int) -> list[bool]:
            ctx.next_task(shout(task_id=f"made{i}", n=i))
            ctx.next_task(look(task_id=f"look{i}", i=i))
            return [ctx.graph.has_node(f"made{k}") for k in range(3)]

        group_of(3, enqueue)
        context = run(wf, place)
    for i in range(3):
        assert context.get_result(f"m{i}") == [False] * 3
        assert context.get_result(f"look{i}") == [k == i for k in range(3)]
    assert [name for name in wf.graph.nodes if name.startswith("made")] == ["made0", "made1", "made2"]


def test_a_name_of_the_graph_stands_for_that_task_in_every_branch(place: str, capsys: Any) -> None:
    with workflow("known") as wf:
        shout(task_id="known", n="the graph's")

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(ctx.graph.get_node("known"))

        group_of(2, enqueue)
        run(wf, place)
    assert capsys.readouterr().out == "shout the graph's\n" * 2


def test_a_member_jumps_to_its_own_task(place: str, capsys: Any) -> None:
    with workflow("own jump") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(decide(task_id="decide", i=i))
            ctx.next_task(shout(task_id="target", n=i))

        @task(inject_context=True)
        def decide(ctx: Any, i: int) -> None:
            ctx.next_task(ctx.graph.get_node("target"), goto=True)

        group_of(2, enqueue)
        run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 0\nshout 1\nshout 1\n"


def test_tasks_that_members_jump_to_out_of_the_group_keep_their_arguments(place: str, capsys: Any) -> None:
    with workflow("jump out") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="out", n=i), goto=True)

        group_of(2, enqueue) >> louder(task_id="skipped", n=0)
        run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 1\n"


def test_groups_within_groups(place: str, capsys: Any) -> None:
    with workflow("nested") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            inner = [deeper(task_id=f"inner{k}", i=i * 10 + k) for k in range(2)]
            ctx.next_task(inner[0] | inner[1])

        @task(inject_context=True)
        def deeper(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="same", n=i))

        group_of(2, enqueue)
        context = run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout 10\nshout 11\n"
    assert context.get_result("same") == 11


def test_after_the_join_the_first_members_task_has_the_name(place: str, capsys: Any) -> None:
    with workflow("after") as wf:

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="same", n=i))

        @task(inject_context=True)
        def after(ctx: Any) -> None:
            ctx.next_task(ctx.graph.get_node("same"))

        group_of(3, enqueue) >> after
        run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout 2\nshout 0\n"


def test_what_a_failed_member_made_is_gone(place: str) -> None:
    with workflow("failed") as wf:

        @task
        def broken() -> None:
            raise ValueError("no")

        def enqueue(ctx: Any, i: int) -> None:
            ctx.next_task(shout(task_id="same", n=i))
            if i == 0:
                ctx.next_task(broken)

        group_of(2, enqueue).with_execution(policy="best_effort")
        context = run(wf, place)
    assert context.get_result("same") == 1
    assert wf.graph.get_node("same")._bound_kwargs == {"n": 1}


def test_an_edge_within_the_branch_counts_at_once_and_others_at_the_join(place: str, capsys: Any) -> None:
    with workflow("edges") as wf:
        end = shout(task_id="end", n="end")

        def enqueue(ctx: Any, i: int) -> None:
            graph = ctx.graph
            graph.add_node(shout(task_id="mine", n=i))
            graph.add_node(louder(task_id="later", n=i))
            graph.add_edge(f"m{i}", "mine")
            graph.add_edge(f"m{1 - i}", "later")  # of the other member, which doesn't know it
            graph.add_edge("end", "later")

        group_of(2, enqueue) >> end
        run(wf, place)
    assert capsys.readouterr().out == "shout 0\nshout 1\nshout end\nlouder 0\nlouder 1\n"
    assert sorted(wf.graph.predecessors("later")) == ["end", "m1"]  # those of the task that has the name


def test_the_tasks_of_a_fragment_may_not_share_a_name(place: str) -> None:
    with workflow("clash") as wf:

        @task(inject_context=True)
        def enqueue(ctx: Any) -> None:
            ctx.next_task(shout(task_id="same", n=0) >> louder(task_id="same", n=1))

        with pytest.raises(GraflowRuntimeError, match="same"):
            run(wf, place, start_node="enqueue")


def test_nodes_that_a_failed_attempt_added_are_gone(place: str, capsys: Any) -> None:
    with workflow("retried") as wf:

        @task(inject_context=True, max_retries=1)
        def add(ctx: Any) -> None:
            ctx.graph.add_node(shout(task_id="added", n=1))
            ctx.graph.add_edge("add", "added")
            if ctx.retry_count == 0:
                raise ValueError("once more")

        run(wf, place, start_node="add")
    assert capsys.readouterr().out == "shout 1\n"
    assert list(wf.graph.nodes) == ["add", "added"]


def test_an_edge_to_a_task_that_lost_its_name_leads_to_no_other_one(place: str, capsys: Any) -> None:
    with workflow("lost name") as wf:

        @task(inject_context=True)
        def first(ctx: Any) -> None:
            ctx.next_task(shout(task_id="same", n="first's"))

        @task(inject_context=True)
        def second(ctx: Any) -> None:
            ctx.next_task(louder(task_id="out", n=1) >> shout(task_id="same", n="second's"), goto=True)

        (first | second).set_group_name("members")
        run(wf, place, start_node="members")
    assert capsys.readouterr().out == "shout first's\nlouder 1\nshout second's\n"
