"""One lock for a key, wherever bodies run: in the calling thread, in other threads, and in worker processes.

Bodies tell each other by files how far they are. Owns no engine internals but the table of locks.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._body.captured import GivenUp
from graflow_fast._body.scope import BranchChannel, LiveStore
from graflow_fast.channels._locks import LockTable, Waiter
from graflow_fast.channels.factory import ChannelFactory
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.engine import WorkflowEngine

PLACES = ["thread", "process"]
HANDLERS = {"inline": "direct", "thread": "thread", "process": "process"}


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.0005)  # between two looks


def bodies(folder: str) -> dict[str, Any]:
    """Return what two tasks do: one holds a key until the other one wants it, and changes its value then."""

    def hold(ctx: Any) -> None:
        channel = ctx.get_channel()
        with channel.lock("k"), channel.lock("k"):
            value = channel.get("k", 0)
            Path(folder, "held").touch()
            wait_for(Path(folder, "wanted"))
            for turn in range(20):
                time.sleep(0)
                channel.set("k", value + turn)
            channel.set("k", value + 1)

    def gate() -> None:
        wait_for(Path(folder, "held"))

    def lock(ctx: Any) -> None:
        channel = ctx.get_channel()
        Path(folder, "wanted").touch()
        with channel.lock("k", timeout=60):
            channel.set("k", channel.get("k", 0) + 10)

    def add(ctx: Any) -> None:
        Path(folder, "wanted").touch()
        ctx.get_channel().atomic_add("k", 10)

    return {"hold": hold, "gate": gate, "lock": lock, "add": add}


@pytest.mark.parametrize("second", ["inline", *PLACES])
@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("how", ["lock", "add"])
def test_who_wants_a_key_waits_for_whoever_holds_it(how: str, first: str, second: str, tmp_path: Path) -> None:
    made = bodies(str(tmp_path))
    with workflow("locks") as wf:
        holds = task(id="hold", inject_context=True, handler=HANDLERS[first])(made["hold"])
        gate = task(id="gate", handler="thread")(made["gate"])
        wants = task(id="want", inject_context=True, handler=HANDLERS[second])(made[how])
        gate >> wants
        parallel(holds, gate).set_group_name("both")
        _, context = wf.execute("both", max_workers=3, ret_context=True)
    assert context.get_channel().get("k") == 11


@pytest.mark.parametrize("handler", ["direct", "thread", "process"])
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_nothing_is_lost_by_bodies_of_all_places(schedule: str, handler: str) -> None:
    def body(ctx: Any) -> None:
        channel = ctx.get_channel()
        for _ in range(10):
            with channel.lock("n", timeout=120):
                channel.set("n", channel.get("n", 0) + 1)
            channel.atomic_add("n")

    options = {} if schedule == "sequential" else {"schedule": schedule}
    with workflow("mixed") as wf:
        places = [*PLACES, handler, *PLACES]
        made = [
            task(id=f"m{number}", inject_context=True, handler=HANDLERS.get(place, place))(body)
            for number, place in enumerate(places)
        ]
        if schedule == "sequential":
            parallel(*made)
        _, context = wf.execute(max_workers=3, ret_context=True, **options)
    assert context.get_channel().get("n") == 20 * len(places)


@pytest.mark.parametrize("second", ["inline", *PLACES])
@pytest.mark.parametrize("first", PLACES)
def test_waiting_ends_with_the_time(first: str, second: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    made = bodies(folder)

    def late(ctx: Any) -> str:
        try:
            with ctx.get_channel().lock("k", timeout=0.05):
                return "got it"
        except TimeoutError as error:
            return str(error)
        finally:
            Path(folder, "wanted").touch()

    with workflow("late") as wf:
        holds = task(id="hold", inject_context=True, handler=HANDLERS[first])(made["hold"])
        gate = task(id="gate", handler="thread")(made["gate"])
        gate >> task(id="late", inject_context=True, handler=HANDLERS[second])(late)
        parallel(holds, gate).set_group_name("both")
        _, context = wf.execute("both", max_workers=3, ret_context=True)
    assert context.get_result("late") == "Could not acquire lock for key 'k' within 0.05s"


@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("second", PLACES)
def test_a_ring_of_additions_is_told(first: str, second: str, tmp_path: Path) -> None:
    """Each holds what the other one adds to: it would never end, so the one that comes last is told."""
    folder = str(tmp_path)

    def body(ctx: Any, own: str, other: str) -> str:
        with ctx.get_channel().lock(own, timeout=120):
            Path(folder, own).touch()
            wait_for(Path(folder, other))
            try:
                ctx.get_channel().atomic_add(other)
            except TimeoutError as error:
                return str(error)
        return "added"

    with workflow("ring") as wf:
        one = task(id="one", inject_context=True, handler=first)(body)(own="a", other="b")
        two = task(id="two", inject_context=True, handler=second)(body)(own="b", other="a")
        parallel(one, two).set_group_name("both")
        _, context = wf.execute("both", max_workers=2, ret_context=True)
    told = sorted(context.get_result(name) for name in (one.task_id, two.task_id))
    assert told[1] == "added"
    assert told[0].startswith("Waiting for the lock of key '")


@pytest.mark.parametrize("place", PLACES)
def test_who_ends_with_a_lock_gives_it_up(place: str) -> None:
    """The body leaves the block open: by an exception that skips it, or because its worker is gone."""

    def leave(ctx: Any) -> None:
        if ctx.retry_count == 0:
            ctx.get_channel().lock("k").__enter__()
            if place == "process":
                import os

                os._exit(3)
            raise ValueError("not now")

    def take(ctx: Any) -> int:
        with ctx.get_channel().lock("k", timeout=60):
            return 1

    with workflow("ends") as wf:
        left = task(id="leave", inject_context=True, max_retries=1, handler=place)(leave)
        taken = task(id="take", inject_context=True, handler="thread")(take)
        parallel(left >> task(id="after")(lambda: None), taken).set_group_name("both")
        _, context = wf.execute("both", max_workers=2, ret_context=True)
    assert context.get_result("take") == 1


def test_threads_of_one_body_take_turns_in_a_worker() -> None:
    def body(ctx: Any) -> None:
        channel = ctx.get_channel()

        def work() -> None:
            for _ in range(20):
                with channel.lock("n", timeout=120):
                    channel.set("n", channel.get("n", 0) + 1)
                channel.atomic_add("n")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with workflow("threads") as wf:
        parallel(*(task(id=f"m{number}", inject_context=True)(body) for number in range(2))).set_group_name("both")
        _, context = wf.execute("both", executor="process", max_workers=2, ret_context=True)
    assert context.get_channel().get("n") == 2 * 4 * 20 * 2


@pytest.mark.parametrize("place", ["inline", "thread", "process"])
def test_threads_that_use_a_context_first_share_it(place: str) -> None:
    """Whoever comes first makes it, and what any of them writes counts."""

    def body(ctx: Any, number: int) -> None:
        import sys

        outer = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        together = threading.Barrier(8)

        def write(turn: int) -> None:
            together.wait()
            ctx.get_channel().prepend(f"k{number}.{turn}", 1)

        threads = [threading.Thread(target=write, args=(turn,)) for turn in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(outer)

    for _ in range(5):
        with workflow("first") as wf:
            made = task(id="body", inject_context=True, max_cycles=3)(body)
            parallel(*(made(task_id=f"b{number}", number=number) for number in range(20))).set_group_name("all")
            _, context = wf.execute("all", executor=place, max_workers=2, ret_context=True)
        found = {f"k{number}.{turn}" for number in range(20) for turn in range(8)}
        assert found <= set(context.get_channel().keys())


# --- the table alone


def test_turns_come_in_order_of_asking() -> None:
    table, told = LockTable(), []
    assert table.ask("k", Waiter(1, None, lambda: told.append(1)))
    for owner in (2, 3, 4):
        assert not table.ask("k", Waiter(owner, None, lambda owner=owner: told.append(owner)))
    table.release("k", 1)
    assert told == [2]
    table.end(3)
    table.release("k", 2)
    assert told == [2, 4]
    table.release("k", 4)
    assert not table


def test_who_holds_a_key_may_take_it_again() -> None:
    table = LockTable()
    for _ in range(2):
        assert table.ask("k", Waiter(1, None, lambda: None))
    told: list[int] = []
    assert not table.ask("k", Waiter(2, None, lambda: told.append(2)))
    table.release("k", 1)
    assert told == []
    table.release("k", 1)
    assert told == [2]


def test_a_release_by_somebody_who_holds_nothing_does_nothing() -> None:
    table = LockTable()
    table.ask("k", Waiter(1, None, lambda: None))
    table.release("k", 2)
    table.release("other", 1)
    assert not table.is_free_for("k", 2)
    assert table.is_free_for("k", 1)


def test_a_channel_that_was_given_up_lets_go_of_its_locks() -> None:
    """A body in a thread can't be stopped: it holds nothing from then on, and ends at its next use of the channel."""
    live = LiveStore(MemoryChannel("root"))
    channel = BranchChannel("branch", live.root, live)
    held, given_up, ended = threading.Event(), threading.Event(), []

    def body() -> None:
        try:
            with channel.lock("k"):
                held.set()
                given_up.wait(60)
                channel.get("k")
        except GivenUp:
            ended.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    assert held.wait(60)
    channel.refuse()
    with BranchChannel("other", live.root, live).lock("k", timeout=60):
        given_up.set()
        thread.join(60)
    assert ended == [True]
    assert not live.locks


class OwnChannel(MemoryChannel):
    """A channel of another backend, whose lock is its own."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name)
        self.locks = None  # type: ignore[assignment]
        self.own = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "own"}

    def lock(self, key: str, timeout: float = 10.0) -> Any:
        return self.own

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        with self.own:
            return self.add(key, amount)


def test_bodies_share_the_locks_of_another_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def body(ctx: Any) -> None:
        channel = ctx.get_channel()
        for _ in range(20):
            with channel.lock("n", timeout=120):
                channel.set("n", channel.get("n", 0) + 1)
            channel.atomic_add("n")

    monkeypatch.setattr(ChannelFactory, "_backends", dict(ChannelFactory._backends))
    ChannelFactory.register_backend("own", OwnChannel)
    with workflow("backend") as wf:
        parallel(*(task(id=place, inject_context=True, handler=place)(body) for place in PLACES)).set_group_name("both")
        context = ExecutionContext.create(wf.graph, "both", channel_backend="own")
        WorkflowEngine().execute(context)
    assert context.get_channel().get("n") == 80


def test_a_body_that_ends_releases_what_it_still_holds():
    """In a worker, where whoever runs next may be the only one there is; the first bodies are slow, for it is new."""
    with workflow("held") as wf:

        @task(inject_context=True)
        def leaves(ctx, key):
            import sys

            kept = ctx.get_channel().lock(key)
            kept.__enter__()
            sys.kept = [*getattr(sys, "kept", ()), kept]  # so that nothing closes it

        @task(inject_context=True)
        def takes(ctx, key):
            with ctx.get_channel().lock(key, timeout=5):
                return key

        pairs = [made(task_id=f"{made.__name__}{n}", key=f"key{n}") for n in range(5) for made in (leaves, takes)]
        parallel(*pairs).set_group_name("all")
        _, context = wf.execute("all", executor="process", max_workers=1, ret_context=True)
    assert [context.get_result(f"takes{n}") for n in range(5)] == [f"key{n}" for n in range(5)]
