"""Warm pools, forks of the user's process, and how many cores there are."""

import os
import threading

import psutil
import pytest
from pool_driver import REPORT, wait_until

from graflow_fast._pool import cores, registry
from graflow_fast._pool.process_pool import ProcessPool


@pytest.fixture(autouse=True)
def no_pools():
    yield
    registry.shutdown_all()


def out(workers=1):
    pool = registry.checkout(workers, "echo_loop:run")
    pool.core
    return pool


def test_a_pool_is_used_again():
    first = out()
    pid = first.pid(0)
    registry.checkin(first)
    second = out()
    assert second is first
    assert second.pid(0) == pid


def test_a_pool_that_was_started_early_is_the_one_to_be_had():
    registry.prestart(1, "echo_loop:run")
    registry.prestart(1, "echo_loop:run")
    [(_, pool)] = registry._idle
    assert out() is pool
    pool.core.submit(1, b"eok")
    assert pool.core.poll(10)[0][6] == b"ok"
    registry.checkin(pool)


def test_a_pool_is_started_early_beside_one_that_a_thread_has_for_itself():
    own = registry.open_own(1)
    try:
        registry.prestart(1, "echo_loop:run")
        assert len(registry._idle) == 1
    finally:
        registry.release(own, 0.0)


def test_a_pool_that_was_started_early_and_never_used_ends():
    registry.prestart(2, "echo_loop:run")
    [(_, pool)] = registry._idle
    template = pool._server.pid
    assert psutil.pid_exists(template)
    registry.shutdown_all()
    assert pool.closed
    assert not psutil.pid_exists(template)


def test_two_runs_at_once_get_two_pools():
    first = out()
    pools = []
    thread = threading.Thread(target=lambda: pools.append(out()))
    thread.start()
    thread.join()
    assert pools[0] is not first
    registry.checkin(first)
    registry.checkin(pools[0])


def test_another_size_or_surroundings_give_another_pool(monkeypatch, tmp_path):
    first = out(1)
    registry.checkin(first)
    assert out(2) is not first
    monkeypatch.setenv("SOMETHING", "new")
    assert out(1) is not first
    monkeypatch.delenv("SOMETHING")
    monkeypatch.chdir(tmp_path)
    assert out(1) is not first


def test_a_pool_with_work_left_is_not_used_again():
    pool = out()
    pool.core.submit(1, b"s30")
    registry.checkin(pool)
    assert pool.closed


def test_a_pool_whose_worker_was_killed_at_the_end_is_whole_again():
    pool = out(2)
    pool.grow(2)
    core = pool.core
    core.submit(1, b"s30")
    core.poll(0)
    wait_until(lambda: core.running_on(1) != -1)
    assert core.cancel(1) == 2
    pool.kill(core.running_on(1))
    registry.checkin(pool)
    assert not pool.closed
    assert len(core.workers()) == 2
    assert out(2) is pool
    core.submit(2, b"eok")
    assert core.poll(5)[0][6] == b"ok"
    registry.checkin(pool)


def test_few_pools_wait():
    pools = [out() for _ in range(4)]
    for pool in pools:
        registry.checkin(pool)
    assert [pool.closed for pool in pools] == [True, True, False, False]


def test_a_forked_child_has_no_pools_and_the_parent_keeps_its_own():
    idle, busy = out(), out()
    registry.checkin(idle)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert idle.closed
            assert busy.closed
            fresh = ProcessPool(1, loop="echo_loop:run")
            fresh.core.submit(1, b"ein the child")
            assert fresh.core.poll(10)[0][6] == b"in the child"
            fresh.shutdown()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0
    for pool in (idle, busy):
        pool.core.submit(1, b"estill here")
        assert pool.core.poll(10)[0][6] == b"still here"
    registry.checkin(busy)


def test_cores_are_at_least_one_and_at_most_what_there_is():
    assert 1 <= cores.usable_cores() <= os.cpu_count()


def test_quota_of_the_control_group(monkeypatch):
    files = {"/proc/self/cgroup": "0::/a/b", "/sys/fs/cgroup/a/b/cpu.max": "max 100000"}
    monkeypatch.setattr(cores, "_read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    assert cores.usable_cores() == 16
    files["/sys/fs/cgroup/a/cpu.max"] = "250000 100000"
    assert cores.usable_cores() == 3
    old = {"/proc/self/cgroup": "4:cpu,cpuacct:/x"}
    old |= {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000", "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"}
    files.clear()
    files.update(old)
    assert cores.usable_cores() == 1


def test_threads_of_libraries_are_limited_unless_the_user_said_so(monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    pool = registry.checkout(2, "echo_loop:run")
    core = pool.core
    core.submit(1, b"vOMP_NUM_THREADS")
    core.submit(2, b"vMKL_NUM_THREADS")
    results = {}
    while len(results) < 2:
        results.update({event[1]: event[6] for event in core.poll(5) if event[0] == REPORT})
    assert results == {1: b"5", 2: b"4"}
    registry.checkin(pool)


def test_pools_within_pools_end_somewhere(monkeypatch):
    """A module that runs a workflow when it is imported would go on for ever: workers import it, too."""
    from graflow_fast import task, workflow
    from graflow_fast.exceptions import GraflowRuntimeError

    monkeypatch.setenv("GRAFLOW_FAST_DEPTH", "4")
    with workflow("deep") as wf:
        task("only")(lambda: 1)
        with pytest.raises(GraflowRuntimeError, match="inside of 4 others.*executor='inline'"):
            wf.execute(executor="process", max_workers=2)
    monkeypatch.setenv("GRAFLOW_FAST_DEPTH", "3")
    assert wf.execute(executor="process", max_workers=2) == 1
