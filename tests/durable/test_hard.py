"""Cases that other engines were caught by, each with a process that is really killed, stopped or out of disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from durable_programs import await_that, begin, noted, run

from graflow_fast import _store

KILLED = -signal.SIGKILL

ORDER = """
first = sys.argv[2] == "first"
with workflow("order") as wf:

    def member(n):
        @task(id=f"m{n}")
        def body():
            print(f"member {n}")
            if first and n < 2:
                await_file("never")
            if not first and n == 0:
                await_file("m1 done")
            if n == 1:
                (folder / "m1 done").touch()
            return n * 10 + random.choice((1, 2, 3))
        return body

    @task(inject_context=True)
    def behind(ctx):
        print(*(ctx.get_result(f"m{n}") // 10 for n in range(3)))

    parallel(*map(member, range(3))) >> behind
if first:
    kill_at(lambda entry: entry[0] == "returned" and entry[1][1] == "m2")
_, context = wf.execute(durable=store, run="r", executor="process", max_workers=3, ret_context=True)
print(context.completed_tasks[-1])
"""


def test_members_may_end_in_another_order_in_the_process_that_goes_on(tmp_path: Path) -> None:
    """Hard test 2: the last member is done first, the program dies, and the others end the other way round."""
    assert run(tmp_path, ORDER, "first")[0] == KILLED
    code, said, errors = run(tmp_path, ORDER, "second")
    assert code == 0, errors
    # What the member that was done had said was still held back: it is lost, as the page says.
    assert said.splitlines() == ["member 0", "member 1", "0 1 2", "behind"]


RETRIES = """
hours = int(sys.argv[2])
real = time.time
time.time = lambda: real() + hours * 3600
with workflow("retries") as wf:
    policy = RetryPolicy(max_retries=4, initial_interval=3000, backoff_factor=1.0, jitter=False)

    @task(inject_context=True, retry_policy=policy)
    def shaky(ctx):
        note(f"{ctx.retry_count} {ctx.key}")
        if ctx.retry_count < 4:
            raise ConnectionError(f"try {ctx.retry_count}")
        return ctx.retry_count

kill_at(lambda entry: entry[0] == "failed")
print(wf.execute(durable=store, run="r"))
"""


def test_a_run_killed_while_a_retry_waits_has_its_other_attempts_and_the_delay_goes_by_the_clock(
    tmp_path: Path,
) -> None:
    """Hard test 3: killed in the delay after each failure; an hour later the next attempt begins at once."""
    for hours in range(4):
        assert run(tmp_path, RETRIES, str(hours))[0] == KILLED
    code, said, errors = run(tmp_path, RETRIES, "4")
    assert (code, said) == (0, "4\n"), errors
    counts, keys = zip(*(line.split() for line in noted(tmp_path)), strict=True)
    assert counts == ("0", "1", "2", "3", "4")
    assert len(set(keys)) == 1


STOPPED = """
with workflow("stopped") as wf:

    @task
    def a():
        note("a")
        return 1

    @task
    def b():
        note("b")
        await_file("go")
        return 2

    @task
    def c(b):
        note("c")
        return b + 1

    a >> b >> c
print(wf.execute(durable=store, run="r"))
"""


@pytest.mark.parametrize("lock", ["kept", "deleted"])
def test_of_two_coordinators_one_of_which_was_only_stopped_one_goes_on(tmp_path: Path, lock: str) -> None:
    """Hard test 4: the second one is told who has the run; without the lock's file the first may write no more."""
    first = begin(tmp_path, STOPPED)
    try:
        await_that(lambda: (tmp_path / "noted").exists() and "b" in noted(tmp_path), "the first one did not begin")
        first.send_signal(signal.SIGSTOP)
        if lock == "deleted":
            (tmp_path / "runs.db-lock").unlink()
            (tmp_path / "go").touch()
        code, said, errors = run(tmp_path, STOPPED)
        (tmp_path / "go").touch()
        first.send_signal(signal.SIGCONT)
        first_said, first_errors = first.communicate(timeout=60)
    finally:
        first.kill()
    if lock == "kept":
        assert code == 1
        assert f"is being written by process {first.pid}" in errors
        assert (first.returncode, first_said) == (0, "3\n"), first_errors
        assert noted(tmp_path) == ["a", "b", "c"]
    else:
        assert (code, said) == (0, "3\n"), errors
        assert first.returncode == 1
        assert "was taken over by another process" in first_errors


DAMAGED = """
with workflow("damaged") as wf:

    def step(n):
        @task(id=f"t{n}")
        def body():
            note(f"t{n}")
            return n
        return body

    tasks = [step(n) for n in range(6)]
    for before, behind in zip(tasks, tasks[1:]):
        before >> behind
if len(sys.argv) > 2:
    kill_at(lambda entry: entry[0] == "returned" and entry[1][1] == sys.argv[2])
_, context = wf.execute(durable=store, run="r", ret_context=True)
print(context.completed_tasks)
"""

OUTCOME = "['t0', 't1', 't2', 't3', 't4', 't5']\n"


def cut(content: bytes, last: int) -> bytes:
    """Zeros from the last record's middle on, as when the rest never reached the disk."""
    return content[: last - 3] + bytes(len(content) - last + 3)


def flip(content: bytes, last: int) -> bytes:
    """One bit is another one."""
    return content[: last - 5] + bytes((content[last - 5] ^ 4,)) + content[last - 4 :]


def zeros(content: bytes, last: int) -> bytes:
    """A piece in the middle is gone."""
    return content[: last - 200] + bytes(40) + content[last - 160 :]


@pytest.mark.parametrize("damage", [cut, flip, zeros])
def test_a_run_whose_tail_is_damaged_goes_on_from_the_last_state_that_is_whole(tmp_path: Path, damage: object) -> None:
    """Hard test 5: done tasks behind the damage run again, none is left out, and commands look at the store."""
    # Slower than the machine: nothing is moved into the database before the program dies.
    assert run(tmp_path, DAMAGED, "t3")[0] == KILLED
    (tail,) = tmp_path.glob("runs.db-tail-*")
    content = tail.read_bytes()
    tail.write_bytes(damage(content, len(content.rstrip(b"\0"))))  # type: ignore[operator]
    assert [row["workflow"] for row in _store.list_runs(tmp_path / "runs.db")] == ["damaged"]
    assert not _store.gc(tmp_path / "runs.db", keep=1)["removed"]
    code, said, errors = run(tmp_path, DAMAGED)
    assert (code, said) == (0, OUTCOME), errors
    assert noted(tmp_path)[:4] == ["t0", "t1", "t2", "t3"]
    assert set(noted(tmp_path)[4:]) >= {"t4", "t5"}


def test_a_run_with_a_damaged_chunk_is_refused_with_its_place_and_others_go_on(tmp_path: Path) -> None:
    """Hard test 5: what was committed and is damaged is never passed over."""
    interrupted = DAMAGED.replace(
        "note(f", "if n == 4 and len(sys.argv) > 2: raise KeyboardInterrupt\n            note(f"
    )
    assert run(tmp_path, interrupted, "none")[0] != 0  # which moves all into the database
    code = (
        "import sqlite3, sys; store = sqlite3.connect(sys.argv[1]);"
        "store.execute('update chunks set data = zeroblob(length(data))'); store.commit()"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "runs.db"], check=True)
    code_of, _, errors = run(tmp_path, DAMAGED)
    assert code_of == 1
    assert "run 1" in errors
    assert "record" in errors
    assert _store.check(tmp_path / "runs.db")["findings"]
    assert len(_store.list_runs(tmp_path / "runs.db")) == 1


GONE = """
import pickle
if len(sys.argv) > 2:
    (folder / "shapes.py").write_text("class Shape:\\n    pass\\n\\n\\nclass Odd(Exception):\\n    pass\\n")
    sys.path.insert(0, str(folder))
with workflow("gone") as wf:

    @task
    def draw():
        from shapes import Shape
        return Shape()

    @task
    def fails():
        from shapes import Odd
        raise Odd("odd one")

    @task
    def sibling():
        return 1

    @task
    def behind():
        note("behind")

    @task(inject_context=True)
    def reads(ctx):
        return ctx.get_result("draw") if (folder / "read").exists() else "not read"

    draw >> (fails | sibling).with_execution(policy="best_effort") >> behind >> reads
kill_at(lambda entry: len(sys.argv) > 2 and entry[0] == "returned" and entry[1][1] == "behind")
print(wf.execute(durable=store, run="r"))
"""


def test_a_value_whose_class_is_gone_is_missed_only_by_who_reads_it(tmp_path: Path) -> None:
    """Hard tests 6 and 7: a module of results and exceptions is deleted; whoever looks at a store never imports it."""
    assert run(tmp_path, GONE, "first")[0] == KILLED
    (tmp_path / "shapes.py").unlink()
    assert len(_store.list_runs(tmp_path / "runs.db")) == 1
    assert not _store.check(tmp_path / "runs.db")["findings"]
    (tmp_path / "read").touch()
    code, _, errors = run(tmp_path, GONE)
    assert code == 1
    assert "the result of task 'draw'" in errors
    assert "No module named 'shapes'" in errors
    (tmp_path / "read").unlink()
    code, said, errors = run(tmp_path, GONE)
    assert (code, said) == (0, "not read\n"), errors
    assert noted(tmp_path) == ["behind"]


FULL = """
import resource
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with workflow("full") as wf:

    def step(n):
        @task(id=f"t{n}")
        def body():
            os.write(noting, f"t{n}\\n".encode())
            return random.randbytes(3_000_000 if n < 5 else 13_000_000)
        return body

    tasks = [step(n) for n in range(8)]
    for before, behind in zip(tasks, tasks[1:]):
        before >> behind
noting = os.open(folder / "noted", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_, context = wf.execute(durable=store, run="r", ret_context=True)
print(context.completed_tasks)
"""


def test_a_run_without_room_on_the_disk_fails_with_the_file_and_goes_on_when_there_is_some(tmp_path: Path) -> None:
    """Hard test 14: no signal ends the program, and nothing is done without a record of it."""
    code, said, errors = run(tmp_path, FULL, str(12 << 20))
    assert (code, said) == (1, ""), errors
    assert "cannot write it" in errors
    assert str(tmp_path / "runs.db") in errors
    begun = noted(tmp_path)
    assert len(begun) < 8
    code, said, errors = run(tmp_path, FULL)
    assert (code, said) == (0, f"{[f't{n}' for n in range(8)]}\n"), errors
    again = noted(tmp_path)[len(begun) :]
    assert again == [f"t{n}" for n in range(int(again[0][1:]), 8)]
    assert int(again[0][1:]) >= len(begun) - 2  # of what was written down nothing runs again


GROWING = """
with workflow("growing") as wf:

    @task(inject_context=True, max_cycles=2000)
    def loop(ctx, data=0):
        if data == 0:
            ctx.get_channel().set("large", random.randbytes(1_000_000))
        if data < 300:
            ctx.next_iteration(data + 1)
        return data
print(wf.execute(durable=store))
"""


def test_what_a_loop_does_not_change_is_not_written_again(tmp_path: Path) -> None:
    """Hard test 13: effects are written down, not states."""
    code, said, errors = run(tmp_path, GROWING)
    assert (code, said) == (0, "300\n"), errors
    assert sum(file.stat().st_size for file in tmp_path.glob("runs.db*")) < 4_000_000


DAEMON = """
with workflow("daemon") as wf:

    @task
    def leaves():
        if os.fork() == 0:
            os.setsid()
            (folder / "pid").write_text(str(os.getpid()))
            while True:
                time.sleep(60)
        await_file("pid")
        return 1

    @task
    def behind(leaves):
        return leaves + 1

    leaves >> behind
kill_at(lambda entry: len(sys.argv) > 2 and entry[0] == "returned")
print(wf.execute(durable=store, run="r"))
"""


def test_what_a_body_leaves_running_holds_no_lock_of_its_run(tmp_path: Path) -> None:
    """Hard test 12: a run whose program was killed goes on at once, whatever still lives of it."""
    # A pipe that the daemon holds would be waited for.
    program = begin(tmp_path, DAEMON, "first")
    program.wait(timeout=60)
    try:
        assert program.returncode == KILLED
        code, said, errors = run(tmp_path, DAEMON)
        assert (code, said) == (0, "2\n"), errors
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
