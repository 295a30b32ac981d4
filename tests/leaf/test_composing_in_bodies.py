"""Edges that a body makes are the body's: its tasks may belong to the workflow, to other bodies, to nobody."""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast import chain, parallel, task, workflow

PLACES = pytest.mark.parametrize("place", ["inline", "thread", "process"])


@task
def show(n: int) -> int:
    return n


@task
def after() -> str:
    return "after"


@PLACES
@pytest.mark.parametrize("times", [2, 3])
def test_a_new_task_before_one_of_the_workflow_works_in_every_run(place: str, times: int) -> None:
    with workflow("w") as flow:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            ctx.next_task(show(task_id="one", n=1) >> report)

        @task
        def report() -> str:
            return "reported"

    for _ in range(times):
        result, context = flow.execute("start", executor=place, ret_context=True, max_workers=1)
        assert result == "reported"
        assert context.completed_tasks == ["start", "one", "report"]
    assert report._links is None


@PLACES
@pytest.mark.parametrize("shape", ["before", "after", "group", "chain", "both"])
def test_a_loop_makes_them_anew(place: str, shape: str) -> None:
    with workflow("w") as flow:

        @task(inject_context=True)
        def loop(ctx: Any, n: int = 0) -> None:
            new = show(task_id="one", n=n)
            if shape == "before":
                ctx.next_task(new >> end)
            elif shape == "after":
                ctx.next_task(end >> new)
            elif shape == "group":
                ctx.next_task(parallel(new, show(task_id="two", n=n)) >> end)
            elif shape == "chain":
                ctx.next_task(chain(new, show(task_id="two", n=n), end))
            else:
                ctx.next_task(new >> end >> show(task_id="two", n=n))
            if n < 3:
                ctx.next_iteration(n + 1)

        @task(inject_context=True)
        def end(ctx: Any) -> None:
            ctx.get_channel().append("ended", True)

    _, context = flow.execute("loop", executor=place, ret_context=True, max_workers=1)
    # At the end of a chain of two it is a join of all four, which waits as long as one of them can still come.
    assert len(context.channel.get("ended")) == (1 if shape == "chain" else 4)
    assert end._links is None


@PLACES
def test_what_a_failed_attempt_made_is_gone(place: str, tmp_path: Any) -> None:
    marker = tmp_path / "failed"
    with workflow("w") as flow:

        @task(inject_context=True, max_retries=1)
        def start(ctx: Any) -> None:
            if not marker.exists():
                marker.touch()
                ctx.next_task(show(task_id="lost", n=1) >> end)
                raise ValueError("once")
            ctx.next_task(show(task_id="kept", n=2) >> end)

        @task
        def end() -> None:
            pass

    _, context = flow.execute("start", executor=place, ret_context=True, max_workers=1)
    assert context.completed_tasks == ["start", "kept", "end"]


def test_free_tasks_keep_the_edges_they_had() -> None:
    first, second = show(task_id="first", n=1), show(task_id="second", n=2)
    first >> second
    with workflow("w") as flow:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            ctx.next_task(show(task_id="new", n=0) >> first)

    for _ in range(2):
        _, context = flow.execute("start", ret_context=True)
        assert context.completed_tasks == ["start", "new", "first", "second"]
    assert first._links is not None
    assert (first._links.successors, first._links.predecessors) == ([second], [])


def test_what_bodies_added_is_seen_until_the_workflow_runs_again() -> None:
    add = True
    with workflow("w") as flow:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            if add:
                ctx.graph.add_edge("start", "other")
                ctx.next_task(end >> show(task_id="new", n=1))

        @task
        def end() -> None:
            pass

        @task
        def other() -> None:
            pass

    defined = list(flow.graph.nodes), flow.graph.get_edges()
    flow.execute("start")
    assert list(flow.graph.nodes) == [*defined[0], "new"]
    assert sorted(flow.graph.get_edges()) == [("end", "new"), ("start", "other")]
    add = False
    _, context = flow.execute("start", executor="inline", ret_context=True)
    assert (list(flow.graph.nodes), flow.graph.get_edges()) == defined
    assert context.completed_tasks == ["start"]


def test_a_hub_of_many_free_tasks_is_linear() -> None:
    hub = after(task_id="hub")
    spokes = [show(task_id=f"s{number}", n=number) for number in range(20_000)]
    for spoke in spokes:
        hub >> spoke
        hub >> spoke
    assert hub._links is not None
    assert len(hub._links.successors) == len(spokes)
