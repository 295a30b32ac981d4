"""The head's end of a way to a station: no answer is lost, whenever and in whichever thread it comes."""

from __future__ import annotations

import threading
import time
from typing import Any

from graflow_fast._core import Trunk
from graflow_fast._places.remote.carrier import Address, StationGoneError
from graflow_fast._places.remote.line import Line


class Recorded:
    """A link that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, Any]] = []

    def exchange(self, blob: bytes, done: Any) -> None:
        self.calls.append((blob, done))

    def close(self) -> None:
        pass


def line() -> tuple[Line, Recorded, Trunk]:
    """A line, its link, and the other end of the trunk."""
    link = Recorded()
    return Line(Address("a", 1), link, 7, lambda: None), link, Trunk(7)


def test_one_call_is_parked_and_another_one_has_news() -> None:
    there, link, _ = line()
    there.exchange(0.0)
    there.exchange(0.0)
    assert len(link.calls) == 1
    there.push(1, 2, b"x")
    there.exchange(0.0)
    there.push(1, 2, b"y")
    there.exchange(0.0)
    assert len(link.calls) == 2, "two at most"


def test_answers_from_many_threads_are_all_taken() -> None:
    there, link, station = line()
    now = time.monotonic()
    seen: list[int] = []

    def answer(done: Any, number: int) -> None:
        station.push(1, number, b"")
        done(station.take(1 << 20))

    count = 0
    while count < 2000:
        there.push(1, 0, b"")
        there.exchange(now)
        calls, link.calls = link.calls, []
        threads = []
        for blob, done in calls:
            station.accept(blob)
            threads.append(threading.Thread(target=answer, args=(done, count)))
            count += 1
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            seen += [number for _, number, _ in there.news(now)]
        seen += [number for _, number, _ in there.news(now)]
        assert calls, "each call was answered, so there may be others"
    assert sorted(seen) == list(range(count))


def test_a_call_that_failed_is_made_again_and_a_station_that_is_gone_is_not_asked() -> None:
    there, link, _ = line()
    now = time.monotonic()
    there.push(1, 2, b"x")
    there.exchange(now)
    link.calls.pop()[1](ConnectionError("broken"))
    there.news(now)
    there.exchange(now)
    assert not link.calls, "not at once"
    assert 0 < there.patience(now) < 1
    there.exchange(now + 1)
    assert len(link.calls) == 1
    link.calls.pop()[1](StationGoneError("it is dead"))
    there.news(now + 1)
    assert there.lost == "it is dead"
    there.push(1, 2, b"x")
    there.exchange(now + 2)
    assert not link.calls


def test_a_line_at_rest_makes_no_call_until_there_is_something_to_say() -> None:
    from graflow_fast._places.remote import messages

    there, link, station = line()
    now = time.monotonic()
    there.push(messages.REST)
    there.exchange(now)
    assert not there.is_quiet()
    blob, done = link.calls.pop()
    station.accept(blob)
    done(station.take(1000))
    there.news(now)
    there.exchange(now)
    assert there.is_quiet()
    assert not link.calls
    assert there.news(now + 1000) == []
    assert there.lost is None, "nobody is asked, so nobody can be silent"
    there.push(1, 2, b"x")
    there.exchange(now + 1000)
    assert len(link.calls) == 1
