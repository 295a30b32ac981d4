"""Threads of the user's that meet in this package: with runs of their own, in one run, in one channel and one graph.

With the interpreter lock they mostly pass each other; without it (3.14t) they run at once. Each test says what every
thread must find, so a lost write, a wrong count and a panic in the compiled part all show.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from graflow_fast import _core, task, workflow
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core.graph import TaskGraph

THREADS = 8


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    """With the interpreter lock: in the middle of things, too."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], object], threads: int = THREADS) -> list[object]:
    """What ``work(number)`` returned in each of so many threads that start together; what one raised is raised here."""
    start = threading.Barrier(threads)
    found: list[object] = [None] * threads
    raised: list[BaseException] = []

    def run(number: int) -> None:
        start.wait(30)
        try:
            found[number] = work(number)
        except BaseException as error:  # a panic is no Exception
            raised.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert not any(thread.is_alive() for thread in running)
    if raised:
        raise raised[0]
    return found


def run_of_its_own(number: int, executor: str) -> tuple[object, ...]:
    """A workflow with all kinds of steps; what it must give depends on ``number`` alone."""
    with workflow(f"run{number}") as flow:

        @task
        def first():
            return number

        @task(inject_context=True)
        def member(ctx, k):
            channel = ctx.get_channel()
            channel.append("seen", (number, k))
            channel.set(f"k{k}", k * number)
            channel.atomic_add("sum", k)
            return k

        @task(inject_context=True)
        def again(ctx):
            channel = ctx.get_channel()
            turns = channel.get("turns", 0) + 1
            channel.set("turns", turns)
            if turns < 5:
                ctx.next_iteration()
            else:
                ctx.next_task(task(f"made{number}")(lambda: number + 1))
            return turns

        members = [member(task_id=f"m{k}", k=k) for k in range(4)]
        _ = first >> (members[0] | members[1] | members[2] | members[3]) >> again

    _, context = flow.execute("first", ret_context=True, executor=executor, max_workers=2)
    channel = context.channel
    return (
        channel.get("first.__result__"),
        channel.get("seen"),
        channel.get("sum"),
        [channel.get(f"k{k}") for k in range(4)],
        channel.get("turns"),
        channel.get(f"made{number}.__result__"),
    )


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_runs_beside_each_other_are_as_alone(executor: str) -> None:
    def work(number: int) -> list[object]:
        return [run_of_its_own(number, executor) for _ in range(5)]

    for number, found in enumerate(at_once(work)):
        seen = [(number, k) for k in range(4)]
        assert found == [(number, seen, 6, [0, number, 2 * number, 3 * number], 5, number + 1)] * 5


def test_runs_beside_each_other_in_processes() -> None:
    found = at_once(lambda number: run_of_its_own(number, "process"), threads=3)
    assert [one[2] for one in found] == [6] * 3


def test_one_run_with_many_threads() -> None:
    """Members in threads write, count, lock and enqueue at once; the join has all of it in their order."""
    with workflow("one") as flow:

        @task(inject_context=True)
        def member(ctx, k):
            channel = ctx.get_channel()
            for turn in range(20):
                channel.append("seen", (k, turn))
                channel.set(f"k{k}", turn)
                channel.atomic_add("sum", 1)
                with channel.lock("shared"):
                    channel.set("shared", channel.get("shared", 0) + 1)
            ctx.next_task(task(f"made{k}")(lambda: k))

        @task(inject_context=True)
        def last(ctx):
            channel = ctx.get_channel()
            return channel.get("seen"), channel.get("sum"), channel.get("shared")

        members = [member(task_id=f"m{k}", k=k) for k in range(32)]
        group = members[0] | members[1]
        for other in members[2:]:
            group = group | other
        group.set_group_name("all")
        _ = group >> last

    (seen, total, shared), context = flow.execute("all", ret_context=True, executor="thread", max_workers=THREADS)
    assert seen == [(k, turn) for k in range(32) for turn in range(20)]
    assert (total, shared) == (640, 640)
    assert [context.channel.get(f"made{k}.__result__") for k in range(32)] == list(range(32))


def test_one_channel() -> None:
    channel = MemoryChannel("shared")

    def work(number: int) -> int:
        for turn in range(300):
            channel.set(f"{number}.{turn % 7}", turn)
            channel.set(("other", number), turn)
            channel.append("all", number)
            channel.atomic_add("sum", 1)
            assert channel.get(("other", number)) == turn
            if turn % 50 == 0:
                assert f"{number}.0" in channel.keys()  # noqa: SIM118 - a channel is no dictionary
                channel.delete(f"{number}.{turn % 7}")
        return number

    at_once(work)
    assert channel.get("sum") == THREADS * 300
    assert [channel.get("all").count(number) for number in range(THREADS)] == [300] * THREADS


def test_one_graph() -> None:
    """Threads that add to one graph, and read it, lose none of the others' tasks and edges."""
    graph = TaskGraph()
    steps = 60

    def work(number: int) -> None:
        for step in range(steps):
            graph.add_node(task(f"{number}.{step}")(lambda: None), f"{number}.{step}")
            if step:
                graph.add_edge(f"{number}.{step - 1}", f"{number}.{step}")
                assert graph.successors(f"{number}.{step - 1}") == [f"{number}.{step}"]
            len(graph.nodes)

    at_once(work)
    assert len(graph.nodes) == THREADS * steps
    assert len(graph.edges) == THREADS * (steps - 1)


def test_definitions_of_one_function() -> None:
    """One template makes instances in many threads at once, and each of them runs."""
    with workflow("shared"):

        @task
        def double(x):
            return 2 * x

    def work(number: int) -> object:
        total = 0
        for turn in range(20):
            with workflow(f"{number}.{turn}") as flow:
                instance = double(task_id=f"d{number}.{turn}", x=number + turn)
            total += flow.execute(instance.task_id, executor="inline")
        return total

    assert at_once(work) == [sum(2 * (number + turn) for turn in range(20)) for number in range(THREADS)]


def test_the_tables_of_the_compiled_part() -> None:
    """All its classes that change wait for each other."""
    scheduler, times, names = _core.Scheduler(), _core.StepTimes(), [f"n{number}" for number in range(THREADS * 200)]
    ids = _core.NodeIds(names)

    def work(number: int) -> None:
        for turn in range(200):
            node = number * 200 + turn
            ids[f"n{node}"] = node
            assert ids[f"n{node}"] == node
            scheduler.add_node()
            times.add(f"n{node}", 0.0, 1.0)
            if turn % 40 == 0:
                list(ids)
                scheduler.in_flight()
                times.names()

    at_once(work)
    assert len(ids) == len(times) == THREADS * 200
    assert sorted(times.names()) == sorted(names)
    assert scheduler.add_node() == THREADS * 200


def test_a_key_that_uses_its_channel() -> None:
    """Its comparison is called while the channel looks for it, and can't wait for that to end: it is told so."""
    channel = MemoryChannel("own")
    said: list[str] = []

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            with pytest.raises(RuntimeError) as caught:
                channel.exists("x")
            said.append(str(caught.value))
            return self is other

    channel.set(Key(), 1)
    channel.set(Key(), 2)
    assert said
    assert "a key's __eq__ or __hash__ uses the channel" in said[0]
