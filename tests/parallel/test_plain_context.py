"""Bodies in workers get stand-ins for context and channel: they see what inline bodies see, with the same outcome."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.channels.base import Channel
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.exceptions import ParallelGroupError


def answers(
    body: Callable[..., Any], executor: str, members: int = 4, workers: int = 2
) -> tuple[list[Any], dict[str, Any]]:
    """What each member of a group returned, and the channel at the end, with the results of all tasks."""
    with workflow("stand-ins") as flow:

        @task(inject_context=True)
        def first(ctx: TaskExecutionContext) -> None:
            channel = ctx.get_channel()
            channel.set("number", 7)
            channel.set("text", "é" * 300)
            channel.set("items", [1, 2])
            channel.set("nothing", None)

        member = task(inject_context=True)(body)
        first >> parallel(*[member(task_id=f"m{index}", index=index) for index in range(members)])
    _, context = flow.execute(executor=executor, max_workers=workers, ret_context=True)
    channel = context.get_channel()
    left = {key: channel.get(key) for key in channel.keys()}  # noqa: SIM118
    return [context.get_result(f"m{index}") for index in range(members)], left


def same_everywhere(body: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """The answers, which are the same inline, in threads and in workers."""
    inline = answers(body, "inline")
    for executor in ("thread", "process"):
        assert answers(body, executor) == inline, executor
    return inline


def test_reading_and_writing_a_channel_gives_what_it_gives_inline() -> None:
    def body(ctx: Any, index: int) -> list[Any]:
        channel = ctx.get_channel()
        seen = [
            channel.get("number"),
            channel.get("text"),
            list(channel.get("items")),
            channel.get("nothing", "default"),
        ]
        seen += [channel.get("missing"), channel.get("missing", 5), channel.get(key="missing", default=6)]
        seen.append(channel.append("items", index))
        seen.append(channel.append("items", value="more"))
        seen.append(list(channel.get("items")))
        seen.append(channel.append("new", {"index": index}))
        channel.set("own", [index])
        seen.append(channel.append("own", 9))
        seen.append(channel.get("own"))
        channel.set("number", channel.get("number") + index)
        seen.append(channel.get("number"))
        seen.append(channel.prepend("new", 0))
        seen.append(channel.delete("text"))
        seen += [channel.exists("text"), channel.exists("items"), channel.get("text", "gone"), sorted(channel.keys())]
        return seen

    _, left = same_everywhere(body)
    assert left["number"] == 10


def test_what_is_read_from_the_channel_is_the_bodys_own() -> None:
    def body(ctx: Any, index: int) -> list[Any]:
        channel = ctx.get_channel()
        channel.get("items").append(index)
        return [channel.append("items", index), channel.get("items")]

    # Inline members see the very list; in workers it comes anew, which is what the branch sees.
    assert answers(body, "process")[0] == [[3, [1, 2, index]] for index in range(4)]


def test_a_value_changed_after_it_was_set_is_what_the_others_get() -> None:
    def body(ctx: Any, index: int) -> int:
        mine = [index]
        ctx.get_channel().set(f"late{index}", mine)
        mine.append("changed")
        return len(ctx.get_channel().get(f"late{index}"))

    results, left = same_everywhere(body)
    assert results == [2, 2, 2, 2]
    assert left["late3"] == [3, "changed"]


def test_a_body_that_writes_many_keys_loses_none() -> None:
    def body(ctx: Any, index: int) -> int:
        channel = ctx.get_channel()
        for number in range(40):
            channel.set(f"k{number}", index)
            channel.append(f"l{number}", index)
        return int(channel.get("k39"))

    _, left = same_everywhere(body)
    assert left["k0"] == left["k39"] == 3
    assert left["l39"] == [0, 1, 2, 3]


def test_the_stand_ins_are_contexts_and_channels_to_whoever_asks() -> None:
    def body(ctx: Any, index: int) -> list[Any]:
        channel = ctx.get_channel()
        ctx.mark = index
        return [
            isinstance(ctx, TaskExecutionContext),
            isinstance(channel, Channel),
            type(ctx).__name__,
            ctx.get_channel() is channel,
            ctx.mark,
            ctx.task_id,
            str(ctx),
            ctx.cycle_count,
            ctx.retry_count,
            ctx.start_time <= ctx.start_time + ctx.elapsed_time(),
            hasattr(ctx, "nonsense"),
            hasattr(channel, "nonsense"),
            ctx.execution_context.current_task_id,
            "task_id" in dir(ctx),
        ]

    results, _ = same_everywhere(body)
    assert results[1][:7] == [
        True,
        True,
        "TaskExecutionContext",
        True,
        1,
        "m1",
        "TaskExecutionContext(task_id=m1, cycle_count=1)",
    ]


def test_mistakes_are_told_in_the_same_words() -> None:
    def body(ctx: Any, index: int) -> list[str]:
        channel = ctx.get_channel()
        attempts: list[Callable[[], Any]] = [
            lambda: channel.append("number", 1),
            lambda: ctx.next_task("m1"),
            lambda: ctx.next_task(),
            lambda: channel.append("items"),
            lambda: channel.get(),
            lambda: ctx.nonsense,
            lambda: channel.nonsense,
            lambda: ctx.llm_client,
        ]
        said = []
        for attempt in attempts:
            try:
                attempt()
            except Exception as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    thread, process = (answers(body, executor)[0] for executor in ("thread", "process"))
    assert process == thread


def test_tasks_that_bodies_enqueue_come_in_the_same_order_with_the_same_arguments() -> None:
    def body(ctx: Any, index: int) -> str:
        later = task(_note)
        last = task(_note)(task_id=f"last{index}", name="last")
        assert ctx.next_task(later(task_id=f"a{index}", name="a")) == f"a{index}"
        ctx.next_task(later(task_id=f"b{index}", name="b", more={"x": [index]}), False)
        if index == 1:
            ctx.next_task(task(_note)(task_id="c", name="c") >> last)
        elif index == 2:
            ctx.next_task(later(task_id="d", name="d"), goto=True)
        return str(ctx.next_task(later(task_id=f"e{index}", name=None)))

    same_everywhere(body)


def _note(name: str | None, more: Any = None) -> str:
    return f"{name} {more}"


def test_a_body_that_raises_leaves_its_writes_to_its_retry_and_none_to_the_others() -> None:
    def run(executor: str) -> tuple[Any, Any]:
        with workflow("retried") as flow:

            @task(inject_context=True, max_retries=2)
            def member(ctx: TaskExecutionContext, index: int) -> int:
                length = ctx.get_channel().append("tries", index)
                ctx.next_task(task(_note)(task_id=f"x{index}", name="x"))
                if length <= index:
                    raise ValueError("again")
                return length

            parallel(*[member(task_id=f"m{index}", index=index) for index in range(3)])
        _, context = flow.execute(executor=executor, max_workers=2, ret_context=True)
        return [context.get_result(f"m{index}") for index in range(3)], context.get_channel().get("tries")

    assert run("process") == run("inline")


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_write_that_cannot_be_packed_fails_the_member_by_name(executor: str) -> None:
    def body(ctx: Any, index: int) -> None:
        ctx.get_channel().set("fine", index)
        ctx.get_channel().append("bad", threading.Lock())

    if executor == "thread":
        answers(body, executor)  # nothing has to be packed
        return
    with pytest.raises(ParallelGroupError, match=r"channel value 'bad'|m0"):
        answers(body, executor)


def test_a_context_that_outlives_its_body_harms_nobody() -> None:
    def body(ctx: Any, index: int) -> list[Any]:
        from tests_kept import contexts

        seen = []
        ctx.get_channel().append("order", index)
        ctx.get_channel().get("number")
        for old in contexts:
            old.get_channel().append("order", "stray")
            old.next_task(task(_note)(task_id="stray", name="stray"))
            seen.append(old.get_channel().get("number"))
            try:
                old.get_channel().get("never asked for")
            except RuntimeError as error:
                seen.append(str(error))
        contexts.append(ctx)
        return seen

    with workflow("install") as flow:
        task(_install_kept)(task_id="install")
    flow.execute(executor="process", max_workers=1)
    results, left = answers(body, "process", members=6, workers=1)
    over = "The task whose context this is has ended: take what you need from it before the body returns"
    assert results == [[7, over] * index for index in range(6)]
    assert left["order"] == list(range(6))


def _install_kept() -> None:
    """Makes a module in the worker whose content outlives bodies."""
    module = types.ModuleType("tests_kept")
    module.contexts = []  # type: ignore[attr-defined]
    sys.modules["tests_kept"] = module


def test_threads_of_a_body_may_use_its_context() -> None:
    def body(ctx: Any, index: int) -> int:
        channel = ctx.get_channel()
        channel.exists("shared")  # asked for once, by one thread

        def work(number: int) -> None:
            for _ in range(50):
                channel.append("shared", number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return int(channel.append("shared", 4)) - 1

    results, left = answers(body, "process")
    assert results == [200] * 4
    assert len(left["shared"]) == 804


def test_live_operations_between_writes_keep_their_order() -> None:
    def body(ctx: Any, index: int) -> list[Any]:
        channel = ctx.get_channel()
        channel.append("plain", index)
        before = channel.atomic_add("counter", 1) >= 1
        channel.append("plain", -index)
        channel.set("after", index)
        with channel.lock("number"):
            channel.set("number", channel.get("number") + 1)
        return [before, channel.get("after"), channel.get("plain")]

    _, left = same_everywhere(body)
    assert left["number"] == 11
    assert left["counter"] == 4
    assert left["plain"] == [0, 0, 1, -1, 2, -2, 3, -3]


def test_groups_and_tasks_defined_in_a_body_belong_to_no_workflow() -> None:
    def body(ctx: Any, index: int) -> str:
        group = parallel(*[task(_note)(task_id=f"g{index}{number}", name="g") for number in range(2)])
        ctx.next_task(group)
        return group.task_id

    same_everywhere(body)


@pytest.mark.parametrize("name", ["context", "channel"])
def test_neither_stand_in_can_be_sent_away(name: str) -> None:
    def body(ctx: Any, index: int) -> str:
        thing = ctx if name == "context" else ctx.get_channel()
        said = []
        for attempt in (pickle.dumps, copy.deepcopy):
            try:
                attempt(thing)
            except Exception as error:
                said.append(type(error).__name__)
        return " ".join(said)

    results, _ = answers(body, "process")
    assert results == ["TypeError TypeError"] * 4


def test_results_of_every_kind_arrive() -> None:
    kinds = [
        None,
        True,
        0,
        -1,
        255,
        256,
        2**31,
        -(2**63),
        2**70,
        1.5,
        "",
        "x" * 300,
        "y" * 5000,
        b"b",
        [1],
        (2,),
        {"k": 3},
        {4},
    ]

    def body(ctx: Any, index: int) -> Any:
        ctx.get_channel().append("kinds", kinds[index])
        ctx.get_channel().set(f"kind{index}", kinds[index])
        return kinds[index]

    results, left = answers(body, "process", members=len(kinds))
    assert results == left["kinds"] == [left[f"kind{index}"] for index in range(len(kinds))] == kinds
    assert [type(result) for result in results] == [type(kind) for kind in kinds]
