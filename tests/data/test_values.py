"""Large values of every kind arrive as they left, by every way there is."""

from __future__ import annotations

import array
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from graflow_fast import task, workflow
from graflow_fast._wire import crossing
from graflow_fast._wire.shared import segments
from graflow_fast._wire.shared.values import Copies, SharedBytes, adopt

LARGE = 300_000


@dataclasses.dataclass
class Holder:
    name: str
    content: Any


ARRAYS = {
    "bytes": np.arange(LARGE, dtype="u1"),
    "floats": np.linspace(0, 1, LARGE),
    "complex": np.full(LARGE, 1 + 2j),
    "big endian": np.arange(LARGE, dtype=">i4"),
    "dates": np.arange(LARGE).astype("M8[s]"),
    "text": np.array(["ab", "cde"] * LARGE),
    "record": np.zeros(LARGE, dtype=[("x", "f8"), ("n", "i2")]),
    "C order": np.arange(LARGE).reshape(3, -1),
    "F order": np.asfortranarray(np.arange(LARGE).reshape(3, -1)),
    "transposed": np.arange(LARGE).reshape(3, -1).T,
    "every second": np.arange(2 * LARGE)[::2],
    "backwards": np.arange(LARGE)[::-1],
    "objects": np.array([None, "x", 1] * 30_000, dtype=object),
    "empty": np.empty((0, 5)),
    "a number": np.array(3.5),
    "half": np.arange(2 * LARGE)[LARGE:],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_arrive_as_they_left(name: str) -> None:
    original = ARRAYS[name]
    arrived = crossing.loads(crossing.dumps(original))
    assert arrived.dtype == original.dtype
    assert arrived.shape == original.shape
    assert arrived.flags.f_contiguous == pickle.loads(pickle.dumps(original, 5)).flags.f_contiguous
    assert np.array_equal(arrived, original)


@pytest.mark.parametrize(
    "value",
    [
        b"x" * LARGE,
        bytearray(b"y") * LARGE,
        array.array("d", range(LARGE)),
        {"a": b"z" * LARGE, "b": 1},
        {"deep": [{"er": (b"q" * LARGE, "text")}]},
    ],
    ids=["bytes", "bytearray", "array", "dict", "nested"],
)
def test_other_buffers_keep_their_type(value: Any) -> None:
    arrived = crossing.loads(crossing.dumps(value))
    assert type(arrived) is type(value)
    assert arrived == value


def test_arrays_inside_other_values() -> None:
    one, two = np.arange(LARGE), np.ones((500, 500))
    arrived = crossing.loads(crossing.dumps({"list": [one, "text"], "holder": Holder("n", {"two": two, "again": two})}))
    assert np.array_equal(arrived["list"][0], one)
    assert np.array_equal(arrived["holder"].content["two"], two)
    assert arrived["holder"].content["again"] is arrived["holder"].content["two"]


def test_arrived_arrays_are_the_shared_memory_and_can_be_written_to() -> None:
    """Nobody else sees that: not who asks for the same content again, nor whoever it is sent on to."""
    data = crossing.dumps(np.arange(LARGE))
    assert isinstance(data, SharedBytes)
    assert len(data) < 1000
    arrived = crossing.loads(data)
    assert not arrived.flags.owndata
    assert np.shares_memory(arrived, crossing.loads(data))
    arrived[7] = -1
    assert crossing.loads(data)[7] == 7
    assert crossing.loads(crossing.dumps(arrived))[7] == -1
    del arrived
    assert crossing.loads(data)[7] == 7


def test_small_buffers_stay_in_the_bytes() -> None:
    assert type(crossing.dumps(np.arange(100))) is bytes


def test_the_content_stays_while_an_array_uses_it() -> None:
    data = crossing.dumps(np.arange(LARGE))
    arrived = crossing.loads(data)
    del data
    crossing.dumps(np.zeros(LARGE))  # would go into the same memory, were it free
    assert np.array_equal(arrived, np.arange(LARGE))


def test_memory_is_used_again_when_nobody_needs_it() -> None:
    made = {crossing.dumps(np.full(LARGE, number)).segments[0].fd for number in range(5)}  # type: ignore[attr-defined]
    assert len(made) == 1


def test_bytes_of_a_content_that_is_gone_are_refused() -> None:
    stale = bytes(crossing.dumps(np.zeros(LARGE)))
    kept = crossing.dumps(np.ones(LARGE))
    with pytest.raises(LookupError, match="another content"):
        crossing.loads(stale)
    assert crossing.loads(kept).all()


def test_bytes_for_files_hold_their_content() -> None:
    stored = pickle.dumps(crossing.dumps(Holder("x", np.arange(LARGE))))
    kept = crossing.dumps(Holder("x", np.zeros(LARGE)))  # in the memory that the other one had
    assert np.array_equal(crossing.loads(pickle.loads(stored)).content, np.arange(LARGE))
    del kept


def test_what_is_adopted_outlives_its_maker() -> None:
    data = crossing.dumps(np.arange(LARGE))
    held = crossing.adopt(bytes(data))
    del data
    crossing.dumps(np.zeros(LARGE))
    assert np.array_equal(crossing.loads(held), np.arange(LARGE))


def test_a_worker_keeps_a_result_until_it_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments.arena, "awaits_arrival", True)
    names = [bytes(crossing.dumps(np.full(LARGE, number))) for number in range(3)]
    assert segments.sent(*names)
    arrived = [crossing.adopt(name) for name in names]
    assert [int(crossing.loads(data)[0]) for data in arrived] == [0, 1, 2]
    segments._recent.clear()
    del arrived
    before = {block.fd for block in segments.arena.resting}
    unsent = crossing.dumps(np.zeros(LARGE))
    assert unsent.segments[0].fd in before  # type: ignore[attr-defined]
    assert not segments.sent(b"a report that names nothing")


def test_beyond_the_limit_of_descriptors_values_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MOST_OPEN", 3)
    kept = [crossing.dumps(np.full(LARGE, number)) for number in range(6)]
    assert [type(data) for data in kept] == [SharedBytes] * 3 + [bytes] * 3
    adopted = [adopt(data) for data in map(bytes, kept)]
    for datas in (kept, adopted):
        assert [int(crossing.loads(data)[-1]) for data in datas] == list(range(6))


def test_copies_send_the_same_buffer_once_and_different_ones_each() -> None:
    copies = Copies()
    whole = np.arange(2 * LARGE)
    first, second = whole[:LARGE], whole[LARGE:]
    before = segments.arena.made
    kept = [crossing.dumps(part, copies) for part in (first, second, first, second, np.asfortranarray(first))]
    assert segments.arena.made - before == 2
    for data, part in zip(kept, (first, second, first, second, first), strict=True):
        assert np.array_equal(crossing.loads(data), part)


def test_no_room_is_a_warning_and_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segments.os, "pwrite", full)
    with pytest.warns(RuntimeWarning, match=r"no shared memory for 2400000 bytes \(No space left"):
        data = crossing.dumps(np.arange(LARGE))
    assert type(data) is bytes
    assert np.array_equal(crossing.loads(data), np.arange(LARGE))


def test_a_folder_for_the_segments(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFLOW_FAST_SHM_DIR", str(tmp_path))
    while segments.arena.resting:
        segments.arena.resting.pop().close()

    @task
    def total(values: Any) -> int:
        return int(values.sum())

    with workflow("folder") as flow:
        total(task_id="only", values=np.ones(LARGE))
    assert flow.execute(executor="process") == LARGE
    assert list(tmp_path.iterdir()) == []
    while segments.arena.resting:
        segments.arena.resting.pop().close()


def test_a_folder_that_is_not_there_is_a_warning(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFLOW_FAST_SHM_DIR", str(tmp_path / "none"))
    with pytest.warns(RuntimeWarning, match="no shared memory"):
        data = crossing.dumps(np.arange(LARGE))
    assert np.array_equal(crossing.loads(data), np.arange(LARGE))
