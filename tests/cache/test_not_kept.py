"""What can't be kept, or used, of a task with ``cache=True``: the body runs, and that is said once."""

from __future__ import annotations

import copy
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from noting import note, refused

from graflow_fast import task, workflow
from graflow_fast.exceptions import NotCachedWarning

TABLE = [1]


def body_lock(ctx):
    note("body")
    with ctx.get_channel().lock("l"):
        pass


def body_add(ctx):
    note("body")
    ctx.get_channel().atomic_add("n", 1)


def body_session(ctx):
    note("body")
    return bool(ctx.session_id)


def body_global(ctx):
    note("body")
    TABLE.append(1)


def body_result(ctx):
    note("body")
    return threading.Lock if ctx is None else open(os.devnull)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (body_lock, "it holds a lock"),
        (body_add, "atomic_add"),
        (body_session, "it uses ctx.session_id"),
        (body_global, "it changes a list that it captures"),
        (body_result, "a TextIOWrapper is open"),
    ],
)
def test_what_cant_be_done_again_is_not_kept_and_says_so_once(calls, run, body, why):
    with workflow("live") as wf:
        task(cache=True, inject_context=True)(body)
    reasons = refused(wf, run)
    assert len(reasons) == 1, reasons
    assert why in reasons[0]
    assert calls.taken() == ["body", "body"]


def test_an_argument_without_content_is_named_once(calls, run):
    with workflow("locked") as wf:

        @task(cache=True)
        def use(value, more):
            note("use")

        use(task_id="used", value=1, more={"a": [threading.Lock()]})
    (reason,) = refused(wf, run)
    assert "argument 'more': more['a'][0] is a _thread.lock" in reason
    assert calls.taken() == ["use", "use"]


class Opaque:
    """Crosses to workers, but has no content that could be told."""

    def __reduce_ex__(self, protocol):
        return (Opaque, ()) if sys._getframe(1).f_code.co_name != "_write_object" else None.missing


def test_workers_say_it_once_for_all_members(calls, run):
    with workflow("opaque") as wf:

        @task(cache=True)
        def use(value):
            note("use")

        members = [use(task_id=f"m{n}", value=[Opaque()]) for n in range(4)]
        members[0] | members[1] | members[2] | members[3]
    (reason,) = refused(wf, run, "process")
    assert "argument 'value': value[0] is a test_not_kept.Opaque" in reason
    assert calls.taken() == ["use"] * 8


def test_an_argument_that_is_changed_in_place_is_not_kept(calls, run, executor):
    with workflow("changing") as wf:

        @task(cache=True)
        def use(value):
            note("use")
            value.append(1)

        use(task_id="used", value=[])
    assert "it changes its argument 'value' in place" in refused(wf, run, executor)[0]
    assert calls.taken() == ["use", "use"]


def test_what_was_read_and_changed_in_place_is_not_kept(calls, run, executor):
    with workflow("reading") as wf:

        @task(inject_context=True)
        def give(ctx):
            ctx.get_channel().set("key", [1])

        @task(cache=True, inject_context=True)
        def use(ctx):
            note("use")
            ctx.get_channel().get("key").append(2)

        give >> use
    assert "it changes 'key' of the channel in place" in refused(wf, run, executor)[0]
    assert calls.taken() == ["use", "use"]


def test_a_failure_is_not_kept(calls, run, executor):
    with workflow("failing") as wf:

        @task(cache=True, max_retries=1)
        def fail(n: int = 1):
            note("fail")
            if not Path(os.environ["TEST_CALLS"] + "2").exists():
                Path(os.environ["TEST_CALLS"] + "2").touch()
                raise ValueError("not yet")
            return n

    assert [run(wf, executor)[0], run(wf, executor)[0], calls.taken()] == [1, 1, ["fail", "fail"]]


def test_a_damaged_entry_is_a_miss_and_is_said_once(calls, run, folder):
    with workflow("damaged") as wf:

        @task(cache=True)
        def large():
            note("large")
            return b"x" * 100_000

    run(wf)
    (value,) = (folder / "runs.db-cache" / "values").glob("*/*")
    value.write_bytes(value.read_bytes()[:-1] + b"y")
    (reason,) = refused(wf, run)
    assert "damaged" in reason
    assert calls.taken() == ["large", "large"]
    next((folder / "runs.db-cache" / "values").glob("*/*")).unlink()
    with pytest.warns(NotCachedWarning, match="is gone"):
        assert len(run(wf)[0]) == 100_000
    assert calls.taken() == ["large"]


def test_files_are_the_owners_alone(calls, run, folder):
    with workflow("private") as wf:

        @task(cache=True)
        def one():
            return b"x" * 100_000

    run(wf)
    found = [folder / "runs.db-cache", *(folder / "runs.db-cache").rglob("*")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in found if each.is_file()} == {0o600}
    assert {stat.S_IMODE(each.stat().st_mode) for each in found if each.is_dir()} == {0o700}
    found[0].chmod(0o777)
    from graflow_fast._cache import body

    body._opened.clear()
    with pytest.warns(NotCachedWarning, match="not yours alone"):
        run(wf)


def test_what_python_remembers_in_a_class_is_no_change(calls, run):
    class Copied:
        x = 1

    with workflow("copies") as wf:

        @task(cache=True)
        def one():
            note("one")
            return copy.deepcopy(Copied()).x  # which leaves `__slotnames__` there

    assert refused(wf, run) == []
    assert calls.taken() == ["one"]
