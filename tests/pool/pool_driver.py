"""The vocabulary of the pool's tests: submit, collect, wait until."""

import os
import sys
import time
from pathlib import Path

from graflow_fast._pool.process_pool import ProcessPool

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # workers import echo_loop from here

REPORT, REQUEST, LOST, TIMEOUT = range(4)


class Driver:
    """A pool and the books of one test."""

    def __init__(self, workers=2, loop="echo_loop:run"):
        self.pool = ProcessPool(workers, loop=loop)
        self.core = self.pool.core
        self.reports = {}
        self.lost = []
        self.timeouts = []
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
            self.lost.append(event)
            self.pool.refill()
        else:
            self.timeouts.append(event)
            self.pool.kill(event[2])

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
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd))


def _is_open(fd):
    try:
        return not os.readlink(f"/proc/self/fd/{fd}").startswith("/proc/")
    except OSError:
        return False


def wait_until(condition, seconds=5):
    """Poll for what no event tells."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
