"""Starting workers: how many, with what around them however large it is, and that those that can't work are told of."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from pool_driver import HERE, wait_until

from graflow_fast import task, workflow
from graflow_fast._pool import fork_server, registry


def pids(driver):
    return {driver.pool.pid(worker) for worker in driver.core.workers()}


# --- how many


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_workers_than_tasks(start, count):
    driver = start(64, grows=True)
    for _ in range(count):
        driver.submit(b"s0.2")
    driver.all_reported()
    assert len(driver.core.workers()) == count
    assert len({event[6] for event in driver.reports.values()}) == count


def test_tasks_one_after_the_other_need_one_worker(start):
    driver = start(64, grows=True)
    for number in range(20):
        assert driver.result(b"e%d" % number) == b"%d" % number
    assert len(driver.core.workers()) == 1


def test_more_workers_as_work_comes_and_never_more_than_there_may_be(start):
    driver = start(4, grows=True)
    first = driver.submit(b"s30")
    driver.until(lambda: driver.core.running_on(first) != -1)
    seen = pids(driver)
    for ticket in [driver.submit(b"s0.1") for _ in range(2)]:
        driver.until(lambda ticket=ticket: ticket in driver.reports)
    assert len(driver.core.workers()) == 3
    assert seen <= pids(driver)
    for ticket in [driver.submit(b"s0.01") for _ in range(40)]:
        driver.until(lambda ticket=ticket: ticket in driver.reports)
    assert len(driver.core.workers()) == 4
    driver.pool.kill(driver.core.running_on(first))
    driver.until(lambda: driver.lost)
    assert len(driver.core.workers()) == 4  # as many as there has been work for


def test_those_that_die_are_replaced_as_long_as_there_was_work_for_them(start):
    driver = start(8, grows=True)
    for _ in range(2):
        driver.submit(b"k9")
    driver.all_reported()
    assert len(driver.core.workers()) == 2
    assert driver.result(b"eok") == b"ok"


def test_a_run_starts_as_many_as_it_has_tasks_and_the_next_one_more():
    def look():
        [template] = psutil.Process().children()
        return len(template.children())

    registry.shutdown_all()
    with workflow("three") as wf:
        task(id="items")(lambda item: time.sleep(0.1) or item).map(range(3))
    try:
        assert wf.execute(max_workers=16) == [0, 1, 2]
        assert 1 <= look() <= 3
        with workflow("five") as wf:
            task(id="items")(lambda item: time.sleep(0.1) or item).map(range(5))
        assert wf.execute(max_workers=16) == [0, 1, 2, 3, 4]
        assert 3 <= look() <= 5
    finally:
        registry.shutdown_all()


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        if hard < 4096:
            pytest.skip("this system has too few descriptors for so many workers")
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_hundreds_of_workers(many_descriptors, start):
    """More than there is room for in the sockets' buffers, whoever reads them late."""
    driver = start(300, grows=True)
    driver.pool.grow(300)
    started = pids(driver)
    assert len(started) == 300
    tickets = [driver.submit(b"e%d" % number) for number in range(1_000)]
    driver.all_reported()
    assert sorted(driver.reports) == tickets
    driver.pool._wanted = 1
    for worker in driver.core.workers():
        driver.pool.kill(worker)
    driver.until(lambda: len(driver.lost) == 300, seconds=60)
    assert {lost.code for lost in driver.lost} == {None}
    wait_until(lambda: not any(map(psutil.pid_exists, started)))
    assert driver.result(b"eok") == b"ok"


MANY = """
    import sys
    sys.path.insert(0, {here!r})
    from graflow_fast._pool.process_pool import ProcessPool
    pool = ProcessPool(450, loop="echo_loop:run")
    pool.start()
    print("starting", flush=True)
    pool.grow(450)
    print("started", flush=True)
    pool.core.poll(60)
"""


def test_ctrl_c_while_hundreds_of_workers_start(many_descriptors):
    code = textwrap.dedent(MANY).format(here=str(HERE))
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stdout.readline() == "starting\n"
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=20)
    assert out == ""
    assert err.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: left_of(program.pid) == [], 5)


def left_of(session):
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


# --- what is around them


def many_variables(monkeypatch):
    for number in range(60):
        monkeypatch.setenv(f"LARGE_{number}", str(number % 10) * 50_000)


LARGE = {
    "many arguments": lambda patch: patch.setattr(sys, "argv", [f"file-{number}" for number in range(60_000)]),
    "a long argument": lambda patch: patch.setattr(sys, "argv", ["program", "ä" * 1_500_000]),
    "arguments that are no strings": lambda patch: patch.setattr(sys, "argv", ["program", HERE, 5]),
    "a long search path": lambda patch: patch.setattr(
        sys, "path", [*sys.path, *(f"/nowhere/{n}" for n in range(9_000))]
    ),
    "a search path with a long entry": lambda patch: patch.setattr(
        sys, "path", [*sys.path, "/nowhere/" + "x" * 300_000]
    ),
    "a long variable": lambda patch: patch.setenv("LARGE", "ü" * 300_000),
    "variables that are too much together": many_variables,
    "a variable that is no text": lambda patch: patch.setenv("LARGE", os.fsdecode(b"\xff\xfe") * 100_000),
}
LOOK = b"q (sys.argv, sys.path, {n: v for n, v in os.environ.items() if n.startswith('LARGE')})"


@pytest.mark.parametrize("what", LARGE)
def test_surroundings_of_any_size(monkeypatch, start, what):
    LARGE[what](monkeypatch)
    driver = start(2)
    variables = {name: value for name, value in os.environ.items() if name.startswith("LARGE")}
    found = eval(driver.result(LOOK))
    assert found[0] == [str(argument) for argument in sys.argv]
    assert found[1] == [os.path.abspath(entry) for entry in sys.path]
    assert found[2] == variables


def test_surroundings_that_change_meanwhile(monkeypatch, start):
    driver = start(1)
    before = sys.argv
    monkeypatch.setattr(sys, "argv", ["other"] * 50_000)
    assert eval(driver.result(b"q sys.argv")) == before
    driver.pool.kill(0)
    driver.until(lambda: driver.lost)
    assert eval(driver.result(b"q sys.argv")) == ["other"] * 50_000


def test_a_program_without_standard_streams():
    """The pool's own descriptors get their numbers."""
    code = textwrap.dedent(
        f"""
        import os, sys
        os.closerange(0, 3)
        sys.path.insert(0, {str(HERE)!r})
        from graflow_fast._pool.process_pool import ProcessPool
        pool = ProcessPool(1, loop="echo_loop:run")
        pool.core.submit(1, b"q 6 * 7")
        ok = pool.core.poll(20)[0][6] == b"42"
        pool.shutdown()
        os._exit(0 if ok else 1)
        """
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_variables_that_a_process_can_be_started_with_are_there_at_once():
    large = {f"V{number}": "x" * 40_000 for number in range(100)}
    environment = {"HOME": "/", "PATH": "/bin", "LONG": "y" * 200_000, **large}
    at_once, later = fork_server._split(environment)
    assert {**at_once, **later} == environment
    assert at_once.keys().isdisjoint(later)
    assert at_once.keys() >= {"HOME", "PATH"}
    assert "LONG" in later
    assert fork_server._split({"HOME": "/"}) == ({"HOME": "/"}, {})


# --- those that can't work, and those that only look like it


@pytest.mark.parametrize("code", [0, 1, 2, 70, 71, 255])
def test_a_task_may_end_its_worker_with_any_code(start, code):
    driver = start(1)
    first = driver.submit(b"x%d" % code)  # the first task of the first worker
    driver.until(lambda: driver.lost)
    assert driver.result(b"eok") == b"ok"
    second = driver.submit(b"x%d" % code)
    driver.until(lambda: len(driver.lost) == 2)
    assert [(lost.ticket, lost.code, lost.signal, lost.reason) for lost in driver.lost] == [
        (ticket, code, None, "its process ended") for ticket in (first, second)
    ]
    assert driver.result(b"eok") == b"ok"


def test_ends_are_told_by_number_once(start):
    """Process ids are used again."""
    driver = start(1)
    for code in range(1, 25):
        driver.submit(b"x%d" % code)
        driver.until(lambda code=code: len(driver.lost) == code)
    assert [lost.code for lost in driver.lost] == list(range(1, 25))
    assert [lost.worker for lost in driver.lost] == list(range(24))
    assert driver.pool._server.exits == {}


def test_ends_that_nobody_asks_for_are_forgotten(start):
    driver = start(1)
    for _ in range(40):
        [worker] = driver.core.workers()
        driver.pool.kill(worker)
        wait_until(lambda: driver.core.poll(1) or not driver.core.workers())
        driver.pool.refill()
    assert len(driver.pool._server.exits) <= 20


# --- limits


def test_getting_ready_is_no_part_of_a_tasks_time(start):
    driver = start(1)
    for _ in range(2):
        assert driver.result(b"h0.5", timeout=0.25) == b"ready"
    assert driver.timeouts == []
    late = driver.submit(b"s30", timeout=0.2)
    driver.all_reported()
    assert [event[1] for event in driver.timeouts] == [late]


def test_memory_over_the_limit_is_told_of_by_task(driver):
    small = [driver.submit(b"e", memory_limit=1 << 30) for _ in range(50)]
    large = driver.submit(b"m200000000", memory_limit=150_000_000)
    driver.all_reported()
    [(_, ticket, _, used)] = driver.over_memory
    assert ticket == large
    assert used > 150_000_000
    assert sorted(driver.reports) == small


def test_memory_of_children_counts(driver):
    code = "import time; kept = bytearray(b'x' * 200_000_000); time.sleep(30)"
    program = f"q os.spawnl(os.P_WAIT, sys.executable, 'python', '-c', {code!r})"
    ticket = driver.submit(program.encode(), memory_limit=150_000_000)
    driver.all_reported()
    assert [event[1] for event in driver.over_memory] == [ticket]
