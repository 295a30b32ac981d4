"""Processes of the pool that somebody stopped (SIGSTOP): nothing waits for them for ever, nobody is charged."""

import os
import signal
import time

import psutil
import pytest
from pool_driver import wait_until


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("workers", [1, 2])
def test_what_an_idle_one_was_given_runs_elsewhere(start, workers):
    driver = start(workers)
    assert driver.result(b"e1") == b"1"
    pids = [driver.pool.pid(worker) for worker in driver.core.workers()]
    for pid in pids:
        stop(pid)
    tickets = [driver.submit(b"e%d" % number) for number in range(50)]
    driver.all_reported(5)
    assert sorted(driver.reports)[1:] == tickets
    assert {lost.ticket for lost in driver.lost} == {-1}
    wait_until(lambda: all(map(is_gone, pids)))


def test_what_waits_behind_a_running_one_runs_elsewhere(driver):
    long = driver.submit(b"s60", timeout=1.0)
    others = [driver.submit(b"e%d" % number) for number in range(50)]
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(long) >= 0)
    stop(driver.pool.pid(driver.core.running_on(long)))
    driver.until(lambda: set(others) <= set(driver.reports), 5)
    assert driver.timeouts == []
    driver.all_reported(5)
    assert [event[1] for event in driver.timeouts] == [long]
    assert [lost.ticket for lost in driver.lost] == [long]


def test_a_moment_is_forgiven(start):
    """One that goes on by itself is not replaced."""
    driver = start(1)
    pid = driver.pool.pid(0)
    stop(pid)
    ticket = driver.submit(b"eok")
    driver.core.poll(0.02)
    os.kill(pid, signal.SIGCONT)
    driver.all_reported(5)
    assert driver.reports[ticket][6] == b"ok"
    assert driver.lost == []


def test_a_task_that_is_running_is_not_touched(start):
    driver = start(1)
    ticket = driver.submit(b"s0.3")
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(ticket) == 0)
    stop(driver.pool.pid(0))
    assert driver.core.poll(0.5) == []
    os.kill(driver.pool.pid(0), signal.SIGCONT)
    driver.all_reported(5)
    assert driver.lost == []


def test_one_that_is_told_to_end(driver):
    pid = driver.pool.pid(0)
    stop(pid)
    driver.pool.recycle(0)
    driver.until(lambda: driver.lost, 5)
    wait_until(lambda: is_gone(pid))
    assert driver.result(b"eok") == b"ok"


@pytest.mark.parametrize("grace", [0.0, 0.2])
def test_killing_one(driver, grace):
    ticket = driver.submit(b"s60")
    driver.core.poll(0)
    wait_until(lambda: driver.core.running_on(ticket) >= 0)
    worker = driver.core.running_on(ticket)
    stop(driver.pool.pid(worker))
    driver.pool.kill(worker, grace)
    driver.until(lambda: driver.lost, 5)
    assert driver.lost[0].ticket == ticket


@pytest.mark.parametrize("which", ["workers", "template", "all"])
def test_shutdown(driver, which):
    """Whoever is stopped: it takes a moment, and no process is left."""
    pids = [driver.pool.pid(0), driver.pool.pid(1)]
    template = driver.pool._server.pid
    for pid in {"workers": pids, "template": [template], "all": [*pids, template]}[which]:
        stop(pid)
    begun = time.monotonic()
    driver.pool.shutdown()
    assert time.monotonic() - begun < 2
    assert all(map(is_gone, [*pids, template]))


def test_the_template_is_woken_when_it_is_needed(driver):
    stop(driver.pool._server.pid)
    ticket = driver.submit(b"s60", timeout=0.2)
    driver.all_reported(5)
    assert [event[1] for event in driver.timeouts] == [ticket]
    assert driver.result(b"eok") == b"ok"
