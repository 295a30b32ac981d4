"""What bodies of this process ask for by `next_task` is mostly added without the driver; it is what the driver does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.trace.noop import NoopTracer


class Listening(NoopTracer):
    """Wants to hear of each task, so the driver does all of it."""

    def on_task_start(self, task: Any, context: Any) -> None:
        """Hear of a task."""


@task(inject_context=True)
def note(ctx: Any, label: str = "") -> str:
    ctx.get_channel().append("ran", label or ctx.task_id)
    return label or ctx.task_id


@task(inject_context=True, priority=3, max_concurrency=1)
def limited(ctx: Any) -> str:
    return str(note.run(ctx))


def new_ones(ctx: Any) -> None:
    for number in range(4):
        ctx.next_task(note(task_id=f"new{number}", label=f"label{number}"))


def twice_the_same(ctx: Any) -> None:
    again = note(task_id="again")
    ctx.next_task(again)
    ctx.next_task(again)


def one_name_for_two(ctx: Any) -> None:
    ctx.next_task(note(task_id="both", label="first"))
    ctx.next_task(note(task_id="both", label="second"))


def known_to_the_graph(ctx: Any) -> None:
    ctx.next_task(ctx.graph.get_node("aside"))


def jump(ctx: Any) -> None:
    ctx.next_task(note(task_id="before"))
    ctx.next_task(ctx.graph.get_node("aside"), goto=True)


def jump_to_a_new_one(ctx: Any) -> None:
    ctx.next_task(note(task_id="elsewhere"), goto=True)


def another_under_a_known_name(ctx: Any) -> None:
    ctx.next_task(note(task_id="aside", label="in its place"))


def the_normal_successor(ctx: Any) -> None:
    ctx.next_task(ctx.graph.get_node("after"))


def a_copy_of_a_known_one(ctx: Any) -> None:
    ctx.next_task(note(task_id="aside"))


def with_options(ctx: Any) -> None:
    ctx.next_task(limited(task_id="limited1"))
    ctx.next_task(note(task_id="unlimited"))


def a_chain(ctx: Any) -> None:
    ctx.next_task(note(task_id="alone"))
    ctx.next_task(note(task_id="left") >> note(task_id="right"))


def a_linked_one(ctx: Any) -> None:
    left, right = note(task_id="left"), note(task_id="right")
    left >> right
    ctx.next_task(left)


def a_group(ctx: Any) -> None:
    ctx.next_task(note(task_id="alone"))
    ctx.next_task(parallel(note(task_id="left"), note(task_id="right")))


def and_an_iteration(ctx: Any) -> None:
    ctx.next_task(note(task_id=f"round{ctx.cycle_count}"))
    if ctx.cycle_count < 3:
        ctx.next_iteration()


def and_an_end(ctx: Any) -> None:
    ctx.next_task(note(task_id="never"))
    ctx.terminate_workflow("enough")


def a_decorated_one(ctx: Any) -> None:
    @task(inject_context=True)
    def inside(ctx: Any) -> None:
        """Say so."""
        note.run(ctx)

    ctx.next_task(inside)


BODIES = [
    new_ones,
    twice_the_same,
    one_name_for_two,
    known_to_the_graph,
    jump,
    jump_to_a_new_one,
    another_under_a_known_name,
    the_normal_successor,
    a_copy_of_a_known_one,
    with_options,
    a_chain,
    a_linked_one,
    a_group,
    and_an_iteration,
    and_an_end,
    a_decorated_one,
]


def outcome(body: Callable[[Any], None], tracer: Any, executor: str) -> Any:
    with workflow("asked", tracer=tracer) as flow:
        first = task("first", inject_context=True)(body)
        note(task_id="aside")
        chain(note(task_id="start"), first, note(task_id="after"))
    result, context = flow.execute("start", executor=executor, ret_context=True)
    channel = context.get_channel()
    left = {key: channel.get(key) for key in sorted(channel.keys())}
    nodes, edges = list(flow.graph.nodes), flow.graph.get_edges()
    return result, left, context.completed_tasks, context.stop_reason, nodes, edges


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_it_is_what_the_driver_makes_of_it(body: Callable[[Any], None], executor: str) -> None:
    wanted = outcome(body, Listening(), "inline")
    assert len(wanted[1]["ran"]) >= 1
    assert outcome(body, None, executor) == wanted


def test_many_from_one_body_run_in_the_order_of_asking() -> None:
    count = 5_000
    with workflow("many") as flow:

        @task(inject_context=True)
        def first(ctx: Any) -> None:
            for number in range(count):
                ctx.next_task(note(task_id=f"n{number}"))

    _, context = flow.execute(executor="inline", ret_context=True)
    assert context.get_channel().get("ran") == [f"n{number}" for number in range(count)]
    assert list(flow.graph.nodes) == ["first", *[f"n{number}" for number in range(count)]]


def test_a_body_that_raises_after_it_asked_has_asked_for_nothing() -> None:
    with workflow("raising") as flow:

        @task(inject_context=True, max_retries=1)
        def first(ctx: Any) -> None:
            ctx.next_task(note(task_id=f"n{ctx.retry_count}"))
            if ctx.retry_count == 0:
                raise ValueError("not yet")

    _, context = flow.execute(executor="inline", ret_context=True)
    assert context.get_channel().get("ran") == ["n1"]
    assert list(flow.graph.nodes) == ["first", "n1"]
