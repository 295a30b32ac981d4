"""Limits belong to a task, not to its name: another task that ran under the name leaves none of its own behind."""

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import CycleLimitExceededError, GraflowRuntimeError
from graflow_fast.trace import NoopTracer

PLACES = pytest.mark.parametrize("place", ["inline", "thread", "process", "traced", "parallel"])


class Listening(NoopTracer):
    """A tracer that wants to hear of each task."""

    def on_task_queued(self, task, context):
        pass


def run(wf, place, start=None, **options):
    if place == "parallel":
        return wf.execute(start, schedule="parallel", max_workers=1, **options)
    return wf.execute(start, executor="inline" if place == "traced" else place, max_workers=1, **options)


def loops(ctx, data=0):
    if data < 3:
        ctx.next_iteration(data + 1)
    return data


def as_given(ctx, other):
    """The task alone: it runs in the place of the name's own."""
    ctx.next_task(other)


def in_a_chain(ctx, other):
    """The task with what follows it: a node of its own."""
    ctx.next_task(chain(other, task(f"after_{ctx.task_id}")(lambda: None)))


def in_a_group(ctx, other):
    """The task as a member of a group."""
    ctx.next_task(parallel(other, task(f"beside_{ctx.task_id}")(lambda: None)))


WAYS = pytest.mark.parametrize("way", [as_given, in_a_chain, in_a_group], ids=lambda way: way.__name__)


@PLACES
@WAYS
@pytest.mark.parametrize("limit", [{"max_cycles": 1}, {"max_cycles": 50}])
def test_max_cycles(place, way, limit):
    """The loop of the name's own task has the limit that it would have without the other one."""
    with workflow("w", tracer=Listening() if place == "traced" else None) as wf:

        @task(inject_context=True)
        def s(ctx):
            @task(id="a", **limit)
            def other():
                return "other"

            way(ctx, other)

        @task(inject_context=True)
        def a(ctx, data=0):
            ctx.get_channel().set("limit", ctx.max_cycles)
            return loops(ctx, data)

        @task(inject_context=True)
        def last(ctx):
            return ctx.get_result("a"), ctx.get_channel().get("limit")

        s >> task("between")(lambda: None) >> a >> last
        assert run(wf, place, "s") == (3, 10)


@PLACES
@WAYS
@pytest.mark.parametrize(
    "limit", [{"max_retries": 3}, {"retry_policy": RetryPolicy(max_retries=3, initial_interval=0.0)}]
)
def test_max_retries(place, way, limit):
    """The name's own task, which has no retries, is tried once."""
    with workflow("w", tracer=Listening() if place == "traced" else None) as wf:

        @task(inject_context=True)
        def s(ctx):
            @task(id="a", **limit)
            def other():
                return "other"

            way(ctx, other)

        @task(inject_context=True)
        def a(ctx):
            if ctx.max_retries or ctx.retry_count:
                raise ValueError(f"retries: {ctx.max_retries}")
            raise ValueError("tried once")

        s >> task("between")(lambda: None) >> a
        with pytest.raises(GraflowRuntimeError, match="tried once"):
            run(wf, place, "s")


@PLACES
def test_the_other_task_has_its_own_limit(place):
    """While it runs, and in each of its rounds."""
    with workflow("w", tracer=Listening() if place == "traced" else None) as wf:

        @task(inject_context=True)
        def s(ctx):
            ctx.next_task(task("a", inject_context=True, max_cycles=2)(loops))

        @task(max_cycles=50)
        def a():
            return "own"

        s >> task("between")(lambda: None) >> a
        with pytest.raises(CycleLimitExceededError, match="max_cycles=2"):
            run(wf, place, "s")


@PLACES
@WAYS
def test_the_other_task_has_none_of_the_own_ones(place, way):
    """The name's own task, with limits, ran before."""
    with workflow("w", tracer=Listening() if place == "traced" else None) as wf:

        @task(max_cycles=1, max_retries=1)
        def a():
            return "own"

        @task(inject_context=True)
        def s(ctx):
            @task(id="a", inject_context=True)
            def other(ctx, data=0):
                if data < 3:
                    ctx.next_iteration(data + 1)
                ctx.get_channel().set("limits", (ctx.max_retries, data))
                return data

            way(ctx, other)

        @task(inject_context=True)
        def begin(ctx):
            ctx.next_task(a)

        begin >> s
        context = run(wf, place, "begin", ret_context=True)[1]
    assert context.get_channel().get("limits") == (0, 3)
