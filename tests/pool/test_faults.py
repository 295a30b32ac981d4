"""Faults: workers that die, talk nonsense, or lose their link; and the coordinator's own end."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest
from pool_driver import LOST, wait_until

from graflow_fast._wire.crossing import STDERR, STDOUT


def test_the_one_that_was_running_is_named_and_the_others_run(driver):
    fatal = driver.submit(b"k9")
    others = [driver.submit(b"e%d" % number) for number in range(100)]
    driver.all_reported()
    assert [lost.ticket for lost in driver.lost] == [fatal]
    assert sorted(driver.reports) == others


@pytest.mark.parametrize(
    ("payload", "number", "code"),
    [(b"k11", signal.SIGSEGV, None), (b"k6", signal.SIGABRT, None), (b"x3", None, 3), (b"k15", signal.SIGTERM, None)],
)
def test_how_it_ended(driver, payload, number, code):
    ticket = driver.submit(payload)
    driver.until(lambda: driver.lost)
    [lost] = driver.lost
    assert (lost.ticket, lost.signal, lost.code, lost.has_begun) == (ticket, number, code, True)
    assert lost.peak_rss_bytes > 1_000_000
    assert lost.reason == "its process ended"
    if number in (signal.SIGSEGV, signal.SIGABRT):
        [(kind, text)] = lost.written
        assert kind == STDERR
        assert "Fatal Python error" in text
        assert "echo_loop.py" in text


def test_killed_while_idle(driver):
    assert driver.result(b"e1") == b"1"
    os.kill(driver.pool.pid(0), signal.SIGKILL)
    driver.until(lambda: driver.lost)
    assert driver.lost[0][:2] == (-1, 0)
    assert driver.result(b"e2") == b"2"


def test_what_was_queued_on_it_runs_elsewhere(start):
    driver = start(1)
    for _ in range(1_000):
        driver.submit(b"e")
    driver.all_reported()
    long = driver.submit(b"s30")
    others = [driver.submit(b"e%d" % number) for number in range(300)]
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(long) == 0)
    os.kill(driver.pool.pid(0), signal.SIGKILL)
    driver.all_reported()
    assert [lost.ticket for lost in driver.lost] == [long]
    assert all(driver.reports[ticket][6] == b"%d" % number for number, ticket in enumerate(others))


def test_killed_while_writing_a_large_result(start):
    driver = start(1)
    ticket = driver.submit(b"b200000000")
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(ticket) == 0)
    wait_until(lambda: driver.core.running_on(ticket) == -1)  # done; nobody reads, so it is stuck in writing
    os.kill(driver.pool.pid(0), signal.SIGKILL)
    driver.all_reported()  # it had ended but its report was cut: it runs again and nobody is charged
    assert [lost.ticket for lost in driver.lost] == [-1]
    assert len(driver.reports[ticket][6]) == 200_000_000


def test_killed_while_it_is_sent_a_large_payload(start):
    driver = start(1)
    driver.submit(b"s0.2")
    big = driver.submit(b"e" + bytes(100_000_000))
    driver.core.poll(0)
    os.kill(driver.pool.pid(0), signal.SIGKILL)
    driver.all_reported()
    assert len(driver.reports[big][6]) == 100_000_000


def test_reports_written_before_the_end_count(start):
    driver = start(1)
    done = [driver.submit(b"e%d" % number) for number in range(50)]
    wait_until(lambda: driver.core.backlog() == 50)
    driver.core.poll(0)
    pid = driver.pool.pid(0)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_SLEEPING)
    os.kill(pid, signal.SIGKILL)
    driver.all_reported()
    assert sorted(driver.reports) == done
    driver.until(lambda: driver.lost)
    assert [lost.ticket for lost in driver.lost] == [-1]


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_on_its_link(driver, seed):
    rubbish = random.Random(seed).randbytes(random.Random(seed).choice([1, 2, 11, 12, 500, 100_000]))
    if len(rubbish) < 2:
        rubbish += b"?"
    ticket = driver.submit(b"wlink:" + rubbish)
    driver.until(lambda: driver.lost)
    assert driver.lost[0].ticket == ticket
    assert "it sent not a frame" in driver.lost[0].reason
    assert driver.result(b"eok") == b"ok"


def test_a_frame_with_a_wrong_checksum(driver):
    driver.submit(b"wlink:" + b"\x47\x46\x06\x00" + (4).to_bytes(4, "little") + bytes(4) + b"body")
    driver.until(lambda: driver.lost)
    assert "checksum" in driver.lost[0].reason


def test_a_frame_of_two_gigabytes(driver):
    driver.submit(b"wlink:" + b"\x47\x46\x06\x00" + (2 << 30).to_bytes(4, "little") + bytes(4))
    driver.until(lambda: driver.lost)
    assert "1 GiB" in driver.lost[0].reason


def test_a_truncated_frame(driver):
    ticket = driver.submit(b"wlink:" + b"\x47\x46\x06\x00" + (1000).to_bytes(4, "little") + bytes(4) + b"cut")
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(ticket) != -1, 20)
    worker = driver.core.running_on(ticket)
    driver.pool.kill(worker)
    driver.until(lambda: driver.lost)
    assert driver.lost[0][:2] == (ticket, worker)


def test_a_body_that_closes_every_descriptor(driver):
    ticket = driver.submit(b"c")
    pid = driver.pool.pid(0), driver.pool.pid(1)
    driver.until(lambda: driver.lost)
    assert driver.lost[0].ticket == ticket
    wait_until(lambda: sum(psutil.pid_exists(each) for each in pid) == 1)


def test_a_body_that_forks_and_returns_twice(driver):
    assert driver.result(b"f") == b"parent"
    assert driver.result(b"eok") == b"ok"
    assert driver.lost == []


def test_death_is_noticed_although_a_grandchild_holds_the_link(driver):
    ticket = driver.submit(b"g")
    driver.until(lambda: driver.lost, seconds=3)
    assert driver.lost[0].ticket == ticket
    assert driver.lost[0].code == 9


def test_the_template_dies(driver):
    template = driver.pool._server.pid
    os.kill(template, signal.SIGKILL)
    driver.pool.kill(0)
    driver.until(lambda: len(driver.lost) == 2)
    assert driver.result(b"eagain") == b"again"


def test_a_loop_that_cannot_be_imported(start):
    driver = start(1, loop="no_such_module:run")
    with pytest.raises(RuntimeError, match=r"(?s)workers cannot start.*no_such_module"):
        driver.until(lambda: False, seconds=3)


def test_a_loop_that_fails_before_its_first_task(start):
    """A program that was updated while it ran may have such workers: replacing them would never end."""
    driver = start(1, loop="broken_loop:run")
    with pytest.raises(RuntimeError, match=r"(?s)workers cannot start.*the loop of another version"):
        driver.until(lambda: False, seconds=3)


def test_kill_grace(driver):
    ticket = driver.submit(b"s30")
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(ticket) != -1)
    driver.pool.kill(driver.core.running_on(ticket), grace=1.0)
    driver.until(lambda: driver.lost)
    assert driver.lost[0].signal == signal.SIGTERM


def test_output_is_kept(driver):
    ticket = driver.submit(b"phello\n")
    driver.all_reported()
    worker = driver.reports[ticket][2]
    assert driver.pool.written_by(worker).rest() == [(STDOUT, "hello\n"), (STDERR, "HELLO\n")]
    assert driver.pool.written_by(worker).rest() == []
    assert driver.core.memory_of(worker, 1 << 40) > 1_000_000


def test_recycle(driver):
    pids = {driver.pool.pid(0), driver.pool.pid(1)}
    for worker in driver.core.workers():
        driver.pool.recycle(worker)
    assert len(driver.core.workers()) == 2
    assert not pids & {driver.pool.pid(worker) for worker in driver.core.workers()}
    assert driver.result(b"eok") == b"ok"
    driver.until(lambda: len(driver.lost) == 2)
    assert all(lost.ticket == -1 for lost in driver.lost)


@pytest.mark.parametrize("seed", range(3))
def test_kill_storm(start, seed):
    driver = start(2)
    rng = random.Random(seed)
    count = 20_000
    over = threading.Event()
    pids = {}

    def storm():
        while not over.wait(0.05):
            victims = list(pids.values())
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)

    killer = threading.Thread(target=storm)
    killer.start()
    lost = set()
    todo = count
    try:
        while len(driver.reports) + len(lost) < count:
            pids.clear()
            pids.update({worker: driver.pool.pid(worker) for worker in driver.core.workers()})
            room = min(driver.core.room(), todo)
            for _ in range(room):
                driver.submit(b"s0.00005" if driver.tickets % 2 else b"e")
            todo -= room
            for event in driver.core.poll(5):
                if event[0] == LOST and event[1] != -1:
                    assert event[1] not in driver.reports
                    lost.add(event[1])
                driver.handle(event)
    finally:
        over.set()
        killer.join()
    assert not lost & set(driver.reports)
    assert len(lost) <= len(driver.lost)
    assert len(driver.lost) > 3
    assert driver.core.backlog() == 0


COORDINATOR = """
    import sys
    sys.path.insert(0, {here!r})
    from graflow_fast._pool.process_pool import ProcessPool
    pool = ProcessPool(2, loop="echo_loop:run")
    pool.grow(2)
    core = pool.core
    core.submit(1, b"s60")
    core.submit(2, b"s60")
    core.poll(0.01)
    print(pool._server.pid, pool.pid(0), pool.pid(1), flush=True)
    {then}
"""


def run_coordinator(then):
    here = os.path.dirname(__file__)
    code = textwrap.dedent(COORDINATOR).format(here=here, then=then)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 3
    process.stdout.close()
    return process, pids


def gone(pids):
    def is_gone(pid):
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return all(map(is_gone, pids))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("then", ["core.poll(60)", "import os, time; os.fork() or time.sleep(3); core.poll(60)"])
def test_nobody_outlives_the_coordinator(number, then):
    process, pids = run_coordinator(then)
    os.kill(process.pid, number)
    process.wait()
    before = time.monotonic()
    wait_until(lambda: gone(pids), seconds=1)
    assert time.monotonic() - before < 1


def test_ctrl_c_ends_poll_at_once():
    process, pids = run_coordinator("core.poll(60)")
    os.kill(process.pid, signal.SIGINT)
    process.wait(timeout=2)
    wait_until(lambda: gone(pids), seconds=1)


def test_the_program_ends_with_busy_workers():
    process, pids = run_coordinator("")
    assert process.wait(timeout=2) == 0
    wait_until(lambda: gone(pids), seconds=1)
