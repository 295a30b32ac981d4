"""What bodies can do, one by one: a hit does the same, wherever the body ran that was kept."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import warnings
from typing import TypedDict

import pytest
from noting import note

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.core.task_context import TaskExecutionContext


class Message(TypedDict):
    text: str


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x

    __hash__ = None

    def __repr__(self):
        return f"Point({self.x})"


@task
def of_the_module():
    return "of the module"


def helper(ctx, key):
    return ctx.get_channel().get(key)


def own_class(ctx):
    return [Point(1)], {"a": Point(2)}


def same_class(ctx):
    return type(ctx.get_result("before")) is Point, isinstance(ctx, TaskExecutionContext)


def typed(ctx):
    channel = ctx.get_typed_channel(Message)
    channel.send("m", {"text": "x"})
    return channel.receive("m")


def lengths(ctx):
    channel = ctx.get_channel()
    return [channel.append("old", 1), channel.prepend("old", 0), channel.append("new", 1), channel.get("old")]


def removes(ctx):
    channel = ctx.get_channel()
    keys = channel.keys()
    return channel.delete("old"), channel.delete("never"), channel.exists("old"), keys


def absent(ctx):
    channel = ctx.get_channel()
    return channel.get("never", "default"), channel.exists("never"), channel.get("none", 1), helper(ctx, "old")


def overwrites(ctx):
    channel = ctx.get_channel()
    value = [1]
    channel.set("old", value)
    value.append(2)
    channel.append("old", 3)
    return channel.get("old")


def lives_shortly(ctx):
    ctx.get_channel().set("short", 1, ttl=1000)


def asks_for_the_module(ctx):
    ctx.next_task(of_the_module)


def asks_for_the_graph(ctx):
    ctx.next_task(ctx.graph.get_node("aside"), goto=True)


def asks_for_an_inner_task(ctx):
    count = 3

    @task
    def inner():
        return Point(count)

    ctx.next_task(inner)


def asks_for_a_fragment(ctx):
    @task
    def one():
        return 1

    @task
    def two(one):
        return one + 1

    @task
    def three(two):
        return two + 1

    ctx.next_task(one >> two >> three)


def asks_for_a_group(ctx):
    @task
    def one(n):
        print("member", n)
        return n

    @task
    def joined(ctx=None):
        return "joined"

    ctx.next_task((one(task_id="a", n=1) | one(task_id="b", n=2)) >> joined)


def asks_for_a_chain(ctx):
    @task
    def one():
        return 1

    @task
    def two(one):
        return one + 1

    @task
    def other():
        return 5

    ctx.next_task(chain(one, two))
    ctx.next_task(parallel(other(task_id="x"), other(task_id="y")).set_group_name("both"))


def asks_for_a_cached_task(ctx):
    @task(cache=True)
    def inner(n: int = 2):
        note("inner")
        return n

    ctx.next_task(inner)


def terminates(ctx):
    ctx.terminate_workflow("enough")
    return "ended"


def counts(ctx):
    return ctx.task_id, ctx.cycle_count, ctx.retry_count, ctx.max_cycles, ctx.can_iterate(), ctx.seed


def says(ctx):
    print("to", "stdout", end=" ")
    print("without an end", end="")
    sys.stderr.write("to stderr\n")
    warnings.warn("warned", UserWarning, stacklevel=1)
    logging.getLogger("cache.hits").error("logged %s", {"a": 1}, extra={"more": 1})


BODIES = [
    own_class, same_class, typed, lengths, removes, absent, overwrites, lives_shortly, asks_for_the_module,
    asks_for_the_graph, asks_for_an_inner_task, asks_for_a_fragment, asks_for_a_group, asks_for_a_chain,
    asks_for_a_cached_task, terminates, counts, says,
]  # fmt: skip


def outcome(body, run, executor, *, cache):
    def noted(ctx):
        note(body.__name__)
        return body(ctx)

    with workflow("one") as wf:

        @task(inject_context=True)
        def before(ctx):
            ctx.get_channel().set("old", ["o"])
            ctx.get_channel().set("none", None)
            return Point(0)

        cached = task(id="cached", cache=cache, inject_context=True)(noted)

        @task
        def behind():
            return "behind"

        @task
        def aside():
            return Point("aside")

        before >> cached >> behind
        aside >> task(id="far")(lambda: "far")
        wf.graph.remove_edge("aside", "far") if hasattr(wf.graph, "remove_edge") else None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = run(wf, executor, start_node="before")
    return *found, [str(each.message) for each in warned]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_a_hit_does_what_the_body_did(calls, run, body, folder):
    expected = outcome(body, run, "inline", cache=False)
    assert calls.taken()
    for first in ("inline", "process"):
        shutil.rmtree(folder / "runs.db-cache", ignore_errors=True)
        assert outcome(body, run, first, cache=True) == expected
        ran = calls.taken()
        assert body.__name__ in ran
        for executor in ("inline", "thread", "process"):
            assert outcome(body, run, executor, cache=True) == expected, (first, executor)
            assert calls.taken() == []


def test_what_subprocesses_print_is_printed_again(calls, run):
    with workflow("sub") as wf:

        @task(cache=True)
        def sub():
            note("sub")
            print("before")
            subprocess.run([sys.executable, "-c", "print('by a subprocess')"], check=True)
            print("behind")

    seen = [run(wf, executor) for executor in ("process", "inline", "process")]
    assert seen[0][3] == ("before\nby a subprocess\nbehind\n", "")
    assert seen[0] == seen[1] == seen[2]
    assert calls.taken() == ["sub"]


def test_a_durable_run_takes_results_and_goes_on_with_them(calls, run, folder):
    def built(fails):
        with workflow("durable") as wf:

            @task(cache=True)
            def one():
                note("one")
                print("one")
                return [1]

            @task
            def two(one):
                if fails:
                    raise ValueError("not yet")
                one.append(2)
                return one

            one >> two
        return wf

    assert run(built(False))[0] == [1, 2]
    store = str(folder / "other.db")
    with pytest.raises(Exception, match="not yet"):
        built(True).execute(durable=store)
    assert built(False).resume(store) == [1, 2]
    assert calls.taken() == ["one"]
    assert os.path.isdir(folder / "runs.db-cache")
