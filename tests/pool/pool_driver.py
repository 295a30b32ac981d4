"""The vocabulary of the pool's tests: submit, collect, wait until."""

import os
import sys
import time
from pathlib import Path

from graflow_fast._pool.process_pool import LOST, OVERMEMORY, OVERTIME, REPORT, REQUEST, ProcessPool

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # workers import echo_loop from here


class Driver:
    """A pool and the books of one test. All its workers are there from the start, unless it shall grow."""

    def __init__(self, workers=2, loop="echo_loop:run", grows=False):
        self.pool = ProcessPool(workers, loop=loop)
        if not grows:
            self.pool.grow(workers)
        self.core = self.pool.core
        self.reports = {}
        self.lost = []
        self.timeouts = []
        self.over_memory = []
        self.tickets = 0

    def submit(self, payload, definitions=(), **options):
        self.tickets += 1
        self.core.submit(self.tickets, payload, definitions, **options)
        return self.tickets

    def handle(self, event):
        if event[0] == REPORT:
            assert event[1] not in self.reports, "reported twice"
            self.reports[event[1]] = event
        elif event[0] == REQUEST:
            self.core.reply(event[2], b"re:" + event[3])
        elif event[0] == LOST:
            self.lost.append(self.pool.lost(*event[1:]))
            self.pool.refill()
        elif event[0] in (OVERTIME, OVERMEMORY):
            (self.timeouts if event[0] == OVERTIME else self.over_memory).append(event)
            self.pool.kill(event[2])
        else:
            self.pool.grow(event[1])

    def until(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"{len(self.reports)} reports, {self.core.backlog()} to come, lost {self.lost}"
            for event in self.core.poll(min(left, 0.5)):
                self.handle(event)

    def all_reported(self, seconds=20):
        self.until(lambda: self.core.backlog() == 0, seconds)

    def result(self, payload, definitions=(), **options):
        ticket = self.submit(payload, definitions, **options)
        self.until(lambda: ticket in self.reports)
        return self.reports[ticket][6]


def open_descriptors():
    """What is open, but for what `graflow-fast stacks` asks by, which a program keeps to its end."""
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd))


def _is_open(fd):
    try:
        path = os.readlink(f"/proc/self/fd/{fd}")
        return not path.startswith("/proc/") and "graflow-stacks" not in path
    except OSError:
        return False


def wait_until(condition, seconds=5):
    """Poll for what no event tells."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
