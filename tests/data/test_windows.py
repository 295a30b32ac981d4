"""Memory that stays mapped in a reader: found again, never in the owner's way, never in memory's."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from graflow_fast import task, workflow
from graflow_fast._wire import crossing
from graflow_fast._wire.shared import segments, windows
from graflow_fast.core.retry import RetryPolicy

LARGE = 300_000


@pytest.fixture(autouse=True)
def nothing_mapped() -> None:
    windows.close_idle()
    while segments.arena.resting:
        segments.arena.resting.pop().close()


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the mappings that are made."""
    sizes: list[int] = []

    class Counted(windows._Window):
        __slots__ = ()

        def __init__(self, fd: int, size: int) -> None:
            sizes.append(size)
            super().__init__(fd, size)

    monkeypatch.setattr(windows, "_Window", Counted)
    return sizes


def test_the_next_content_of_a_segment_is_found_where_the_last_one_was(mapped: list[int]) -> None:
    for number in range(5):
        arrived = crossing.loads(bytes(data := crossing.dumps(np.full(LARGE, number))))
        assert (arrived == number).all()
        del arrived, data
    assert len(mapped) == 1
    assert windows.unlocked() == mapped[0]


def test_a_smaller_content_and_then_a_larger_one() -> None:
    for size in (LARGE, LARGE // 2, LARGE, 2 * LARGE, LARGE):
        arrived = crossing.loads(bytes(data := crossing.dumps(np.full(size, size))))
        assert arrived.shape == (size,)
        assert (arrived == size).all()
        del arrived, data


def test_contents_of_two_segments_are_not_confused(mapped: list[int]) -> None:
    for number in range(4):
        two = [crossing.dumps(np.full(LARGE, number + extra)) for extra in (0.25, 0.75)]
        arrived = [crossing.loads(bytes(data)) for data in reversed(two)]
        assert [float(array[-1]) for array in arrived] == [number + 0.75, number + 0.25]
        del two, arrived
    assert len(mapped) == 2


def test_what_is_mapped_and_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [crossing.dumps(np.full(LARGE, number)) for number in range(windows.MOST_KEPT + 3)]
    arrays = [crossing.loads(bytes(data)) for data in many]
    size = len(next(iter(segments._leased.values())))
    del arrays
    assert windows.unlocked() == windows.MOST_KEPT * size
    monkeypatch.setattr(windows, "KEEP", 2 * size)
    crossing.loads(bytes(many[0]))
    assert windows.unlocked() == 2 * size
    monkeypatch.setattr(windows, "KEEP", size // 2)
    crossing.loads(bytes(many[0]))
    crossing.loads(bytes(many[-1]))
    assert windows.unlocked() <= size


def test_a_forked_child_reads_on_when_its_parent_has_finished() -> None:
    arrived = crossing.loads(bytes(data := crossing.dumps(np.full(LARGE, 7.0))))
    go_in, go_out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(go_out)
            os.read(go_in, 1)
            os._exit(0 if (arrived == 7.0).all() else 1)
        finally:
            os._exit(2)
    del arrived, data
    (block,) = segments.arena.resting
    locked = not block.is_free()
    crossing.dumps(np.zeros(LARGE))
    os.close(go_out)
    os.close(go_in)
    assert os.waitpid(child, 0)[1] == 0
    assert locked
    assert block.is_free()


def test_memory_that_the_owner_lets_go_of_is_free_though_it_is_mapped(mapped: list[int]) -> None:
    data = crossing.dumps(np.full(LARGE, 1.0))
    crossing.loads(bytes(data))
    assert len(mapped) == 1
    copy = os.dup(data.segments[0].fd)  # type: ignore[attr-defined]
    del data
    segments.arena.resting.pop().close()
    assert os.fstat(copy).st_size == segments.DATA
    os.close(copy)
    again = crossing.dumps(np.full(LARGE, 2.0))
    assert (crossing.loads(bytes(again)) == 2.0).all()


def test_the_owner_uses_memory_again_that_a_reader_has_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = crossing.dumps(np.full(LARGE, 1.0))
    held = crossing.adopt(bytes(data))
    del data
    monkeypatch.setattr(segments, "KEEP", 1)
    del held  # larger than what is kept, so its reader frees it
    monkeypatch.undo()
    (block,) = segments.arena.resting
    assert os.fstat(block.fd).st_size == segments.DATA
    again = crossing.dumps(np.full(LARGE, 2.0))
    assert again.segments[0].fd == block.fd  # type: ignore[attr-defined]
    assert (crossing.loads(bytes(again)) == 2.0).all()


@task
def make(number: float) -> Any:
    return np.full(LARGE, number)


@task
def total(values: Any) -> float:
    return float(values.sum())


def test_an_array_that_came_as_a_result_is_not_copied_to_go_on_as_an_argument() -> None:
    with workflow("first") as flow:
        make(task_id="make", number=2.0)
    array = flow.execute(executor="process")
    made = segments.arena.made
    for values, expected in ((array, 2.0 * LARGE), (array[: LARGE // 2], 1.0 * LARGE)):
        with workflow("second") as flow:
            total(task_id="total", values=values)
        assert flow.execute(executor="process") == expected
    assert segments.arena.made == made
    with workflow("third") as flow:
        total(task_id="total", values=array.copy())
    assert flow.execute(executor="process") == 2.0 * LARGE
    assert segments.arena.made == made + 1


@task(memory_limit="400MB", retry_policy=RetryPolicy(max_retries=0))
def own_memory(megabytes: int) -> int:
    import time

    block = np.ones(megabytes << 20, dtype="u1")
    time.sleep(0.15)  # longer than it takes until somebody looks
    return int(block[-1])


def test_buffers_left_mapped_do_not_count_against_the_next_tasks_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFLOW_FAST_WORKERS", "1")
    array = np.ones(120 << 20, dtype="u1")
    with workflow("fill") as flow:
        total(task_id="total", values=array)
    flow.execute(executor="process", max_workers=1)
    with workflow("own") as flow:
        own_memory(task_id="own", megabytes=330)
    assert flow.execute(executor="process", max_workers=1) == 1
