"""Tasks with ``cache=True``: a hit is as the run was, in all that can be seen of it, on every executor."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest
from noting import note

from graflow_fast import task, workflow

log = logging.getLogger("cache.test")


class Row:
    def __init__(self, x):
        self.x = x


def build(*, cache=True):
    """A workflow whose tasks do all that can be done again: results, writes, wishes, prints, logs, warnings."""
    with workflow("all") as wf:

        @task(cache=cache)
        def load(n: int = 3):
            note("load")
            print("loading", n)
            print("to stderr", file=sys.stderr)
            return [Row(each) for each in range(n)]

        @task(cache=cache, inject_context=True)
        def work(ctx, load):
            note("work")
            channel = ctx.get_channel()
            channel.set("sum", sum(row.x for row in load))
            channel.append("list", 1)
            channel.append("list", 2)
            channel.prepend("list", 0)
            channel.set("gone", 1)
            channel.delete("gone")
            print("sum", channel.get("sum"), "of", channel.get("limit", 5))
            log.warning("logged %s", len(load))
            warnings.warn("warned", UserWarning, stacklevel=1)

            @task
            def extra():
                return len(load)

            @task
            def after(extra):
                return extra * 10

            ctx.next_task(extra >> after)
            return {"rows": load}

        @task(cache=cache, inject_context=True)
        def loop(ctx, count: int = 0):
            note("loop")
            ctx.get_channel().append("rounds", ctx.cycle_count)
            if ctx.cycle_count < 3:
                ctx.next_iteration()

        @task(cache=cache, inject_context=True)
        def jump(ctx):
            note("jump")
            ctx.next_task(ctx.graph.get_node("target"), goto=True)

        @task
        def never():
            note("never")

        @task
        def target():
            return "there"

        load >> work >> loop >> jump >> never
    return wf, target


def plain(seen):
    """What was seen, with rows as plain values."""
    result, channel, completed, output = seen
    rows = [row.x for row in channel.pop("load.__result__")]
    work = channel.pop("work.__result__")
    return result, rows, [row.x for row in work["rows"]], channel, completed, output


@pytest.mark.filterwarnings("always:warned")
def test_a_hit_is_as_the_run_was_on_every_executor(calls, run):
    expected = None
    for executor in ["inline", "inline", "thread", "process"]:
        wf, _ = build()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = plain(run(wf, executor))
        found = *found, [str(each.message) for each in warned]
        if expected is None:
            expected = found
            assert calls.taken() == ["load", "work", "loop", "loop", "loop", "jump"]
            assert expected[-1] == ["warned"]
            assert "loading 3\nsum 3 of 5\n" in expected[5][0]
        assert found == expected, executor
        assert calls.taken() == []


def test_a_run_that_keeps_is_as_one_that_does_not(calls, run, executor):
    kept = plain(run(build()[0], executor))
    assert kept == plain(run(build(cache=False)[0], executor))
    assert calls.taken().count("loop") == 6


def test_results_are_never_shared(calls, run, executor):
    with workflow("shared") as wf:

        @task(cache=True)
        def make(size: int = 3):
            note("make")
            return list(range(size))

        @task
        def change(make):
            make.append("changed")
            return make

        make >> change
    for _ in range(3):
        assert run(wf, executor)[0] == [0, 1, 2, "changed"]
    assert calls.taken() == ["make"]


def test_a_result_that_is_an_argument_is_another_object_in_a_run_that_keeps_too(calls, run):
    with workflow("same") as wf:

        @task
        def make():
            return [1]

        @task(cache=True)
        def same(make):
            return make

        @task
        def change(same):
            same.append("changed")
            return same

        make >> same >> change
    first = run(wf)
    assert first[1]["make.__result__"] == [1]
    assert run(wf) == first


def test_what_has_changed_in_the_process_since_is_seen(calls, run):
    table, limit = [1], 1

    class Options:
        factor = 1

    def helper():
        return table[0] * Options.factor + limit

    with workflow("changing") as wf:

        @task(cache=True)
        def one():
            note("one")
            return helper()

    seen = [run(wf)[0]]
    table[0] = 2
    seen.append(run(wf)[0])
    Options.factor = 3
    seen.append(run(wf)[0])
    limit = 5
    seen.append(run(wf)[0])
    before, helper.__code__ = helper.__code__, (lambda: table[0] * Options.factor - limit).__code__
    seen.append(run(wf)[0])
    helper.__code__ = before
    seen.append(run(wf)[0])
    assert seen == [2, 3, 7, 11, 1, 11]
    assert len(calls.taken()) == 5


def test_members_of_groups_and_items_of_maps_are_kept(calls, run, executor):
    with workflow("many") as wf:

        @task(cache=True, inject_context=True)
        def member(ctx, n):
            note(f"member{n}")
            print("member", n)
            ctx.get_channel().append("members", n)
            return n * n

        @task(cache=True)
        def item(n):
            note(f"item{n}")
            print("item", n)
            return n + 1

        group = member(task_id="a", n=1) | member(task_id="b", n=2) | member(task_id="c", n=1)
        group >> item.map([5, 6, 5])
    first = run(wf, executor)
    assert sorted(set(calls.taken())) == ["item5", "item6", "member1", "member2"]
    assert run(wf, executor) == first
    assert calls.taken() == []


def test_a_parallel_schedule_keeps_too(calls, run):
    with workflow("wide") as wf:

        @task(cache=True)
        def one():
            note("one")
            print("one")
            return 1

        @task(cache=True)
        def two(one):
            note("two")
            return one + 1

        one >> two
    first = run(wf, None, schedule="parallel")
    assert sorted(calls.taken()) == ["one", "two"]
    assert run(wf, None, schedule="parallel") == first
    assert calls.taken() == []


def test_an_async_body_is_kept(calls, run):
    with workflow("later") as wf:

        @task(cache=True)
        async def one():
            note("one")
            return 1

    assert [run(wf)[0], run(wf)[0], calls.taken()] == [1, 1, ["one"]]


def reading(executor, run, value):
    with workflow("reads") as wf:

        @task
        def give(value):
            return value

        @task(cache=True, inject_context=True)
        def read(ctx):
            note("read")
            return ctx.get_channel().get("key"), ctx.get_result("given")

        @task(inject_context=True)
        def write(ctx, value):
            ctx.get_channel().set("key", value)

        give(task_id="given", value=1) >> write(task_id="written", value=value) >> read
    return run(wf, executor)[0]


def test_what_is_read_must_be_the_same(calls, run, executor):
    assert reading(executor, run, [1]) == ([1], 1)
    assert reading(executor, run, [2]) == ([2], 1)
    assert calls.taken() == ["read", "read"]
    assert [reading(executor, run, each) for each in ([1], [2])] == [([1], 1), ([2], 1)]
    assert calls.taken() == []
    assert reading(executor, run, [True]) == ([True], 1)
    assert calls.taken() == ["read"]
