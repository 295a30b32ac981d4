"""Bodies in threads that were given up: they can't be killed, so they are to be unheard and to end soon."""

import contextvars
import logging
import sys
import threading

import pytest

from graflow_fast import task, workflow
from graflow_fast._body.captured import GivenUp
from graflow_fast._places.threads import Threads
from graflow_fast.exceptions import GraflowWorkflowCanceledError

LONG = 30.0


class Late:
    """A member that goes on when the run is over, and what became of it."""

    def __init__(self, act):
        self.act = act
        self.begun, self.goes_on = threading.Event(), threading.Event()
        self.ended = None
        self.thread = None

    def body(self, ctx):
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.goes_on.wait(LONG)
        try:
            self.act(ctx)
        except BaseException as error:
            self.ended = type(error)
            raise

    def run_beside_a_stop(self, call):
        """Run it as a member behind one that stops the workflow; return the run's context, None for a cancel."""
        late = self

        @task(inject_context=True)
        def stops(ctx):
            assert late.begun.wait(LONG)
            getattr(ctx, call)("enough")

        with workflow("stopped") as wf:
            stops | task(id="late", inject_context=True)(self.body)
        if call == "terminate_workflow":
            return wf.execute(executor="thread", max_workers=2, ret_context=True)[1]
        with pytest.raises(GraflowWorkflowCanceledError):
            wf.execute(executor="thread", max_workers=2)
        return None

    def go_on(self):
        """Let it go on and wait until its thread has ended."""
        self.goes_on.set()
        self.thread.join(LONG)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("call", ["cancel_workflow", "terminate_workflow"])
def test_what_a_member_prints_when_the_run_is_over_is_not_shown(call, capsys):
    stdout = sys.stdout
    late = Late(lambda ctx: print("late"))
    late.run_beside_a_stop(call)
    print("after the run")
    late.go_on()
    assert capsys.readouterr().out == "after the run\n"
    assert late.ended is GivenUp
    assert sys.stdout is stdout


@pytest.mark.parametrize(
    "use",
    [
        lambda channel: channel.atomic_add("n", 1),
        lambda channel: channel.lock("n").__enter__(),
        lambda channel: channel.get("n"),
        lambda channel: channel.set("n", 1),
    ],
)
def test_a_member_ends_when_it_uses_its_channel_after_the_run(use):
    late = Late(lambda ctx: use(ctx.get_channel()))
    context = late.run_beside_a_stop("terminate_workflow")
    late.go_on()
    assert late.ended is GivenUp
    assert not context.get_channel().exists("n")


def test_earlier_items_of_a_map_go_on_when_later_ones_are_given_up(monkeypatch):
    later, given_up = threading.Event(), threading.Event()
    give_up = Threads.give_up

    def noted(self, ticket):
        found = give_up(self, ticket)
        given_up.set()
        return found

    monkeypatch.setattr(Threads, "give_up", noted)

    @task(inject_context=True)
    def item(ctx, number):
        if number == 1:
            assert later.wait(LONG)
            ctx.terminate_workflow("enough")
        else:
            if number == 2:
                later.set()
            assert given_up.wait(LONG)
        ctx.get_channel().append("seen", number)

    with workflow("map") as wf:
        item.map([0, 1, 2], chunk=1) | task(id="other")(lambda: None)
    context = wf.execute(executor="thread", max_workers=3, ret_context=True)[1]
    assert context.get_channel().get("seen") == [0, 1]


@pytest.fixture
def one_thread():
    threads = Threads(1)
    yield threads
    threads.close()


def test_a_call_that_is_given_up_before_it_begins_never_does(one_thread):
    begun, goes_on, called = threading.Event(), threading.Event(), []

    def first(pieces):
        begun.set()
        goes_on.wait(LONG)

    one_thread.submit_call(1, None, first, lambda outcome, pieces: called.append("first"))
    one_thread.submit_call(2, None, lambda pieces: called.append("second"), lambda outcome, pieces: None)
    assert begun.wait(LONG)
    assert one_thread.give_up(2)
    goes_on.set()
    while one_thread.busy():
        one_thread.collect(LONG)
    one_thread.close()
    assert called == ["first"]


def test_nobody_waits_behind_a_call_that_was_given_up(one_thread):
    begun, goes_on, called = threading.Event(), threading.Event(), []

    def first(pieces):
        begun.set()
        goes_on.wait(LONG)

    one_thread.submit_call(1, None, first, lambda outcome, pieces: called.append("first"))
    one_thread.submit_call(2, None, lambda pieces: None, lambda outcome, pieces: called.append("second"))
    assert begun.wait(LONG)
    assert one_thread.give_up(1)
    one_thread.collect(LONG)
    assert called == ["second"]
    goes_on.set()


def test_what_has_ended_can_be_given_up(one_thread):
    """The outcome is there, but nobody has asked for it yet."""
    ended, called = threading.Event(), []
    one_thread.submit_call(1, None, lambda pieces: ended.set(), lambda outcome, pieces: called.append("first"))
    one_thread.submit_call(2, None, lambda pieces: None, lambda outcome, pieces: called.append("second"))
    assert ended.wait(LONG)
    one_thread.give_up(1)
    while one_thread.busy():
        one_thread.collect(LONG)
    assert called == ["second"]
    assert not one_thread.give_up(1)


def test_bodies_see_the_callers_context_variables():
    asked = contextvars.ContextVar("asked", default="nobody")

    def body():
        seen = asked.get()
        asked.set("a body")
        return seen

    with workflow("trust") as wf:
        task(id="a")(body) >> task(id="b")(body)
    token = asked.set("the caller")
    try:
        _, context = wf.execute(executor="thread", max_workers=1, ret_context=True)
        assert [context.get_result(name) for name in "ab"] == ["the caller", "the caller"]
        assert asked.get() == "the caller"
    finally:
        asked.reset(token)


class Listener(logging.Handler):
    """Hears what is logged, formatted when it is heard."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def emit(self, record):
        self.heard.append(f"{record.levelname} {record.getMessage()}")
        print("heard", record.getMessage())


def test_log_records_come_with_the_prints_in_member_order(capsys):
    log = logging.getLogger("trust.threads")
    log.setLevel(logging.INFO)
    listener = Listener()
    log.addHandler(listener)
    second_is_done = threading.Event()
    at_once = []

    def first():
        assert second_is_done.wait(LONG)
        print("first prints")
        log.warning("first %s", "logs")
        log.debug("not enabled")

    def second():
        own = Listener()
        log.addHandler(own)
        rows = [1]
        log.info("second has %s", rows)
        rows.append(2)
        log.removeHandler(own)
        at_once.extend(own.heard)
        print("second prints")
        second_is_done.set()

    try:
        with workflow("trust") as wf:
            task(id="first")(first) | task(id="second")(second)
            wf.execute(executor="thread", max_workers=2)
    finally:
        log.removeHandler(listener)
    assert listener.heard == ["WARNING first logs", "INFO second has [1]"]
    assert at_once == ["INFO second has [1]"], "a handler that a body adds hears its records at once, as inline"
    prints = capsys.readouterr().out.splitlines()
    assert prints == ["first prints", "heard first logs", *["heard second has [1]"] * 2, "second prints"]
    assert logging.Logger.callHandlers.__module__ == "logging"
