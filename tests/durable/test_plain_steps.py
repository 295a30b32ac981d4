"""Plain steps of a durable run: their entries are short, and who goes on catches up with them without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast._core import PlainJournal
from graflow_fast._run.journal import opening
from graflow_fast._run.journal.replay import Replay
from graflow_fast._store import JOURNAL_STREAM, open_store
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError, JournalMismatchError


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store of runs is."""
    return tmp_path / "runs.db"


class Odd:
    """What Python has to pickle."""

    def __init__(self, number: int) -> None:
        self.number = number


def mixed(fails: bool, ran: list[str]) -> WorkflowContext:
    """Return a chain of steps most of which are plain, the last of which fails or tells what it found."""
    with workflow("mixed") as made:

        @task
        def number() -> int:
            ran.append("number")
            return 1

        @task
        def values(number: int) -> dict[str, list[int]]:
            ran.append("values")
            return {"n": [number, 2]}

        @task(inject_context=True)
        def writes(ctx: Any, values: dict[str, list[int]]) -> tuple[int, ...]:
            ran.append("writes")
            ctx.get_channel().append("list", values)
            ctx.get_channel().set("key", 2.5)
            values["n"].append(3)  # a copy of its own
            return tuple(values["n"])

        @task
        def odd() -> Odd:
            ran.append("odd")
            return Odd(4)

        @task(inject_context=True, max_cycles=5)
        def loops(ctx: Any, data: int = 0) -> int:
            ran.append("loops")
            if data < 2:
                ctx.next_iteration(data + 1)
            return data

        @task(inject_context=True)
        def adds(ctx: Any) -> int:
            ran.append("adds")
            return int(ctx.get_channel().atomic_add("sum", 5))

        @task(inject_context=True)
        def last(ctx: Any, values: Any, writes: Any, odd: Any) -> Any:
            ran.append("last")
            if fails:
                raise ValueError("not yet")
            channel = ctx.get_channel()
            return values, writes, odd.number, channel.get("list"), channel.get("key"), channel.get("sum")

        chain(number, values, writes, odd, loops, adds, last)
    return made


FOUND = ({"n": [1, 2]}, (1, 2, 3), 4, [{"n": [1, 2]}], 2.5, 5)


def test_a_run_of_plain_and_other_steps_means_the_same_when_it_goes_on(store: Path) -> None:
    """Whoever wrote an entry down, and whoever reads it."""
    ran: list[str] = []
    assert mixed(False, ran).execute(durable=store, run="whole") == FOUND
    whole = list(ran)
    ran.clear()
    for _ in range(2):
        with pytest.raises(GraflowRuntimeError, match="not yet"):
            mixed(True, ran).execute(durable=store, run="failed")
    result, context = mixed(False, ran).execute(durable=store, run="failed", ret_context=True)
    assert result == FOUND
    assert ran == [*whole, "last", "last"]
    assert context.completed_tasks[-1] == "last"
    assert mixed(False, ran).execute(durable=store, run="failed") == FOUND  # one that has ended is only looked at


def test_what_plain_steps_return_and_write_is_in_a_short_entry(store: Path) -> None:
    """As all others are when it is looked at."""
    mixed(False, []).execute(durable=store)
    records = list(open_store(store).read(1, JOURNAL_STREAM))
    entries = {entry[1][1]: entry for entry in (PlainJournal.entry(each) for each in records if each[0] & 4)}
    assert set(entries) == {"number", "values", "writes", "adds", "last"}
    kind, key, time, result, writes, asked, handled, (started, ended) = entries["number"]
    assert (kind, key, result, writes, asked, handled) == ("returned", ((), "number", 0), 1, [], None, False)
    assert started <= ended == time
    assert isinstance(entries["values"][3][0], bytes)
    assert [write[:2] for write in entries["writes"][4]] == [("append", "list"), ("set", "key")]
    assert max(len(each) for each in records if each[0] & 4 and PlainJournal.name_of(each) == "number") < 60
    with pytest.raises(ValueError, match="no entry of a plain step"):
        PlainJournal.entry(records[0])


def test_who_goes_on_ends_plain_steps_without_python(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that wrote something."""
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        mixed(True, []).execute(durable=store)
    ended: list[str] = []
    end = Replay._end

    def watched(replay: Replay, entry: Any, action: Any) -> None:
        ended.append(entry[1][1])
        end(replay, entry, action)

    monkeypatch.setattr(Replay, "_end", watched)
    assert mixed(False, []).resume(store) == FOUND
    assert ended == ["writes", "odd", "loops", "loops", "loops", "adds"]


def test_a_program_with_another_order_is_told_where_it_differs(store: Path) -> None:
    """It has all tasks and edges of the run, so only catching up can tell."""
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        mixed(True, []).execute(durable=store)
    other = mixed(False, [])
    with other:

        @task
        def between() -> None: ...

        other.graph.get_node("number") >> between >> other.graph.get_node("values")
    with pytest.raises(JournalMismatchError, match="'values'"):
        other.resume(store)


def test_members_wait_for_the_disk_together_and_what_follows_waits_for_them(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``sync="power"``; a member's second task waits for its first one, the step behind the group for all."""
    happened: list[str] = []

    class Watched:
        """A writer that tells when the disk is waited for."""

        def __init__(self, writer: Any) -> None:
            self._writer = writer

        def __getattr__(self, name: str) -> Any:
            if name == "sync":
                happened.append("sync")
            return getattr(self._writer, name)

    open_journal = opening.open_journal

    def opened(*arguments: Any) -> Any:
        journal = open_journal(*arguments)
        journal.writer = Watched(journal.writer)  # type: ignore[assignment]
        monkeypatch.setattr(journal, "of_plain_steps", lambda live: None)
        return journal

    monkeypatch.setattr(opening, "open_journal", opened)
    with workflow("members") as made:

        @task
        def member(n: int) -> int:
            happened.append(f"m{n}")
            return n

        @task
        def second() -> None:
            happened.append("second")

        @task
        def behind() -> None:
            happened.append("behind")

        members = [member(task_id=f"m{n}", n=n) for n in range(4)]
        members[3] >> second
        parallel(*members) >> behind
    made.execute(durable=store, sync="power", executor="inline")
    begun = happened[happened.index("m0") :]
    assert begun == ["m0", "m1", "m2", "m3", "sync", "second", "sync", "behind", "sync", "sync"]
