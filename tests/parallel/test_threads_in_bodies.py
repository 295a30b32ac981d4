"""Bodies that use the context from several threads of their own at once. Owns no engine internals."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow

PLACES = pytest.mark.parametrize("place", ["inline", "thread", "process"])


@PLACES
def test_all_threads_of_a_body_may_use_the_channel_and_the_graph(place: str) -> None:
    """Reads that ask, reads of what is known, writes, live operations and questions, all mixed."""
    with workflow("threads") as wf:

        @task(inject_context=True)
        def body(ctx: Any, member: int) -> list[Any]:
            outer = sys.getswitchinterval()
            sys.setswitchinterval(1e-5)
            channel = ctx.get_channel()

            def work(number: int) -> tuple[Any, ...]:
                channel.set(f"own{member}.{number}", number)
                channel.append(f"list{member}", number)
                with channel.lock("guard"):
                    channel.set("guarded", channel.get("guarded", 0) + 1)
                return (
                    channel.get(f"given{number}"),
                    channel.get(f"own{member}.{number}"),
                    channel.exists("nothing"),
                    ctx.graph.has_node("m0"),
                    channel.atomic_add("count") > 0,
                )

            try:
                with ThreadPoolExecutor(8) as threads:
                    return list(threads.map(work, range(40)))
            finally:
                sys.setswitchinterval(outer)

        members = [body(task_id=f"m{member}", member=member) for member in range(3)]
        parallel(*members).set_group_name("members")
        given = {f"given{number}": number for number in range(40)}
        _, context = wf.execute("members", executor=place, max_workers=2, ret_context=True, initial_channel=given)
    channel = context.get_channel()
    assert channel.get("count") == channel.get("guarded") == 120
    for member in range(3):
        assert context.get_result(f"m{member}") == [(n, n, False, True, True) for n in range(40)]
        assert sorted(channel.get(f"list{member}")) == list(range(40))


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.0001)  # between two looks


@pytest.mark.parametrize("place", ["thread", "process"])
def test_who_adds_waits_for_the_lock_and_holds_up_nothing_else(place: str, tmp_path: Path) -> None:
    """A body that holds a lock writes keys that nobody has touched, while another one adds to the lock's key."""
    folder = str(tmp_path)
    with workflow("adds") as wf:

        @task(inject_context=True)
        def holds(ctx: Any) -> None:
            channel = ctx.get_channel()
            with channel.lock("n"):
                Path(folder, "held").touch()
                wait_for(Path(folder, "adding"))
                for turn in range(500):
                    time.sleep(0)  # let the other one go on, which waits in vain
                    channel.set(f"new{turn}", turn)

        @task(inject_context=True)
        def adds(ctx: Any) -> None:
            wait_for(Path(folder, "held"))
            Path(folder, "adding").touch()
            ctx.get_channel().atomic_add("n")

        (holds | adds).set_group_name("both")
        _, context = wf.execute("both", executor=place, max_workers=2, ret_context=True)
    assert context.get_channel().get("n") == 1
    assert [context.get_channel().get(f"new{turn}") for turn in range(500)] == list(range(500))
