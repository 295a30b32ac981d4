"""What the log is told of workers: bodies that take far longer than others, and deaths that cost no task."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from kept import Kept, task_of
from signs import Signs

from graflow_fast import chain, parallel, task, workflow
from graflow_fast._places.process import processes, slow


def warnings_of(kept: Kept) -> list[tuple[str, str | None]]:
    return [(words, name) for level, words, name in kept.of_runs() if level == "WARNING"]


def looks_soon(patch: pytest.MonkeyPatch, signs: Signs, since: Callable[[], object]) -> None:
    """Look soon, take little for long, and leave the sign that bodies wait for some looks after something holds."""
    patch.setattr(slow, "INTERVAL", 0.05)
    patch.setattr(slow, "LEAST", 0.3)
    looks: list[float] = []

    class Looking(slow.SlowBodies):
        def look(self) -> None:
            before = self._next_look
            super().look()
            if self._next_look != before and self._core.long_bodies(slow.LEAST) and since():
                looks.append(before)
                if len(looks) == 3:
                    signs.leave("heard")

    patch.setattr(processes, "SlowBodies", Looking)


def leaves_a_sign(kept: Kept, signs: Signs, words: str) -> None:
    """Leave the sign that bodies wait for when the log is told this."""
    kept.hears = lambda record: signs.leave("heard") if words in record.getMessage() else None


LAST = 9


def group(body: Any) -> None:
    parallel(*[body(task_id=f"m{n}", n=n) for n in range(LAST + 1)])


def chained(body: Any) -> None:
    chain(*[body(task_id=f"m{n}", n=n) for n in range(LAST + 1)])


def side_by_side(body: Any) -> None:
    for n in range(LAST + 1):
        body(task_id=f"m{n}", n=n)


def mapped(body: Any) -> None:
    body.map(range(LAST + 1), chunk=1, task_id="m")


@pytest.mark.parametrize("shape", [group, chained, side_by_side, mapped])
def test_a_body_that_takes_far_longer_than_others_is_told_once(
    shape: Callable[[Any], None], kept: Kept, signs: Signs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workflow("slow") as wf:

        @task
        def body(n: int) -> None:
            if n == LAST:
                signs.await_("heard")

        shape(body)
    looks_soon(monkeypatch, signs, since=lambda: warnings_of(kept))
    wf.execute(executor="process", max_workers=2, schedule="parallel" if shape is side_by_side else "sequential")
    ((words, name),) = warnings_of(kept)
    assert name == ("m[9]" if shape is mapped else "m9")
    shown = re.fullmatch(
        rf"task '{re.escape(name)}' has been running for ([\d.]+) s, others took ([\d.e-]+) s \(worker process \d+\)",
        words,
    )
    assert shown is not None, words
    assert float(shown[1]) >= max(0.3, 5 * float(shown[2]))


def test_the_first_of_a_function_is_not_slow(kept: Kept, signs: Signs, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to compare it with."""
    with workflow("first") as wf:

        @task
        def first() -> None:
            signs.await_("heard")

        first
    looks_soon(monkeypatch, signs, since=lambda: True)
    wf.execute(executor="process")
    assert warnings_of(kept) == []


def test_nobody_looks_where_nobody_listens(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(processes, "SlowBodies", never)
    with workflow("unheard") as wf:

        @task
        def body() -> int:
            return 1

        body
    logging.getLogger("graflow_fast").setLevel(logging.ERROR)
    try:
        assert wf.execute(executor="process") == 1
    finally:
        logging.getLogger("graflow_fast").setLevel(logging.NOTSET)


def test_a_worker_that_dies_while_it_runs_nothing_is_told(kept: Kept, signs: Signs) -> None:
    with workflow("idle") as wf:

        @task
        def member(name: str, other: str) -> int:
            signs.leave(name)
            signs.await_(other)
            return os.getpid()

        @task(inject_context=True)
        def kills(ctx: Any) -> int:
            (other,) = {ctx.get_result("a"), ctx.get_result("b")} - {os.getpid()}
            os.kill(other, signal.SIGKILL)
            signs.await_("heard")
            return int(other)

        (member(task_id="a", name="a", other="b") | member(task_id="b", name="b", other="a")) >> kills
    leaves_a_sign(kept, signs, "was lost")
    killed = wf.execute(executor="process", max_workers=2)
    words = "it was running nothing, and another one takes its place"
    assert warnings_of(kept) == [(f"worker process {killed} was lost (killed by SIGKILL): {words}", None)]


def test_a_worker_that_dies_under_several_items_is_told(kept: Kept, tmp_path: Any) -> None:
    with workflow("items") as wf:

        @task
        def item(n: int) -> int:
            if n == 3 and not (tmp_path / "once").exists():
                (tmp_path / "once").touch()
                (tmp_path / "pid").write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return n

        item.map(range(8), chunk=8, task_id="m")
    assert wf.execute(executor="process", max_workers=1) == list(range(8))
    words = "'m[0]' and 7 more items, which it was running, run again one by one"
    pid = (tmp_path / "pid").read_text()
    assert warnings_of(kept) == [(f"worker process {pid} was lost (killed by SIGKILL): {words}", None)]
    assert task_of(kept.records[-1]) is None
