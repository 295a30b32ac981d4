"""Whatever fails while the output of bodies is captured: afterwards the program's streams and log are its own."""

import contextlib
import logging
import sys
import threading
import time

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError

#: Seconds until a test gives up waiting for something that takes a moment.
LONG = 30


@contextlib.contextmanager
def streams_come_back():
    """Check that the streams, and what hands on log records, are the same afterwards."""
    before = (sys.stdout, sys.stderr, logging.Logger.callHandlers)
    yield
    deadline = time.monotonic() + LONG
    while (sys.stdout, sys.stderr, logging.Logger.callHandlers) != before and time.monotonic() < deadline:
        time.sleep(0.001)  # a body that was given up ends by itself, some time after the run
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before


class ThreadStarts:
    """Lets some of this package's threads not start, as where the system has no more of them."""

    def __init__(self, monkeypatch, fail):
        self.count = 0
        real = threading.Thread.start

        def start(thread):
            if thread.name.startswith("graflow_fast_"):
                self.count += 1
                if fail(self.count):
                    raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)


def say(n):
    print("said", n)
    return n


def build(kind):
    """A workflow with four pieces of work that may run at once."""
    with workflow(kind) as wf:
        if kind == "group":
            members = [task(f"m{n}")(lambda n=n: say(n)) for n in range(4)]
            parallel(*members) >> task("last", inject_context=True)(
                lambda ctx: [ctx.get_result(f"m{n}") for n in range(4)]
            )
        elif kind == "map":
            task("say")(say).map(range(4), chunk=1)
        else:
            start = task("start")(lambda: None)
            last = task("last", inject_context=True)(lambda ctx: [ctx.get_result(f"m{n}") for n in range(4)])
            for n in range(4):
                start >> task(f"m{n}")(lambda n=n: say(n)) >> last
    return wf


KINDS = pytest.mark.parametrize("kind", ["group", "map", "parallel"])


def options(kind):
    schedule = "parallel" if kind == "parallel" else "sequential"
    return {"executor": "thread", "max_workers": 3, "schedule": schedule}


@KINDS
def test_no_thread_can_start(kind, monkeypatch):
    """The run fails and says why and what to do."""
    ThreadStarts(monkeypatch, lambda count: True)
    with streams_come_back(), pytest.raises(GraflowRuntimeError, match="can't start new thread") as caught:
        build(kind).execute(**options(kind))
    assert 'executor="inline"' in str(caught.value)


@KINDS
@pytest.mark.parametrize("failing", [(2,), (3,), (2, 3, 4, 5), (2, 4, 6)])
def test_some_threads_cannot_start(kind, failing, monkeypatch, capsys):
    """The run goes on with those that it has."""
    starts = ThreadStarts(monkeypatch, lambda count: count in failing)
    with streams_come_back():
        assert build(kind).execute(**options(kind)) == [0, 1, 2, 3]
    assert starts.count > 1
    assert sorted(capsys.readouterr().out.splitlines()) == [f"said {n}" for n in range(4)]


@KINDS
@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, MemoryError])
def test_a_body_fails(kind, executor, error):
    """With whatever it raises."""

    def fail(n):
        print("about to fail")
        raise error

    with workflow("w") as wf:
        if kind == "map":
            task("fail")(fail).map([1, 2, 3])
        elif kind == "group":
            parallel(
                task("fine")(lambda: 1), task("fail")(fail)(task_id="f", n=1), task("other")(lambda: print("other"))
            )
        else:
            task("fail")(fail)(task_id="f", n=1) >> task("fine")(lambda: 1)
        with streams_come_back(), pytest.raises((GraflowRuntimeError, SystemExit, KeyboardInterrupt)):
            wf.execute(executor=executor, max_workers=2)


@KINDS
def test_interrupted_while_bodies_run(kind, monkeypatch):
    """By Ctrl-C in the calling thread: bodies that are under way end when they next print."""
    goes_on = threading.Event()

    def body(n=0):
        goes_on.wait(LONG)
        print("unheard")

    from graflow_fast._places.threads import Threads

    def interrupted(self, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(Threads, "collect", interrupted)
    with workflow("w") as wf:
        if kind == "map":
            task("body")(body).map([1, 2, 3], chunk=1)
        else:
            parallel(task("a")(body), task("b")(body), task("c")(body))
        with streams_come_back():
            with pytest.raises(KeyboardInterrupt):
                wf.execute(executor="thread", max_workers=2)
            goes_on.set()


def test_bodies_that_wait_never_begin_when_the_run_is_over(monkeypatch):
    """While the threads are let go, no other one is started for what is still to run."""
    begun = []
    goes_on = threading.Event()

    def body(n):
        begun.append(n)
        goes_on.wait(LONG)

    from graflow_fast._places.threads import Threads

    def interrupted(self, timeout):
        deadline = time.monotonic() + LONG
        while len(begun) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(Threads, "collect", interrupted)
    starts = ThreadStarts(monkeypatch, lambda count: False)
    with workflow("w") as wf:
        parallel(*[task(f"m{n}")(lambda n=n: body(n)) for n in range(6)])
        with streams_come_back():
            with pytest.raises(KeyboardInterrupt):
                wf.execute(executor="thread", max_workers=2)
            goes_on.set()
    assert (sorted(begun), starts.count) == ([0, 1], 2)
