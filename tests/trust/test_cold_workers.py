"""The first workers import what they need when they need it, whatever bodies have done to their process by then."""

import logging
import os
import time
import warnings

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._pool.registry import shutdown_all


class Complaint(Exception):
    """An error of the program's own."""


@pytest.fixture(autouse=True)
def cold():
    """Every test starts with a pool that does not run yet."""
    shutdown_all()
    yield
    shutdown_all()


def run(*bodies, workers=1):
    """Run bodies one after the other in new workers; the results."""
    with workflow("cold", executor="process", max_workers=workers) as wf:
        previous = None
        for number, body in enumerate(bodies):
            step = task(f"step{number}")(body)
            if previous is not None:
                previous >> step
            previous = step
    _, context = wf.execute(ret_context=True)
    return [context.get_result(f"step{number}") for number in range(len(bodies))]


def is_cold():
    import sys

    return "graflow_fast._worker.bodies" not in sys.modules and "cloudpickle" not in sys.modules


def use_up_descriptors():
    import os
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit))
    while True:
        try:
            os.dup(1)
        except OSError:
            return


def test_a_first_plain_task_finds_nothing_imported_that_it_did_not_ask_for():
    assert run(is_cold) == [True]


def test_workers_of_later_find_everything_imported():
    """A worker that is started when the first results are there has no imports left to do."""

    def end():
        os._exit(1)

    deadline = time.monotonic() + 20
    while run(is_cold)[0]:
        assert time.monotonic() < deadline
        with workflow("end", executor="process", max_workers=1) as wf:
            task("end", max_retries=0)(end)
        with pytest.raises(Exception, match="exit code 1"):
            wf.execute()


def test_an_error_arrives_from_a_body_that_cleared_the_search_path():
    def body():
        import sys

        sys.path.clear()
        raise Complaint("x")

    with pytest.raises(Exception, match="x") as caught:
        run(body)
    assert type(caught.value.__cause__).__name__ == "Complaint"


def test_what_a_body_prints_that_left_no_descriptors_arrives(capsys):
    def body():
        use_up_descriptors()
        print("here")
        return {"a": [Complaint, {1: 2}]}

    assert run(body) == [{"a": [Complaint, {1: 2}]}]
    assert capsys.readouterr().out == "here\n"


def test_an_error_arrives_from_a_body_that_left_no_descriptors():
    def body():
        use_up_descriptors()
        raise Complaint("x")

    with pytest.raises(Exception, match="x") as caught:
        run(body)
    assert isinstance(caught.value.__cause__, Complaint)


def test_threads_of_a_body_may_be_the_first_to_print(capsys):
    def body():
        import sys
        import threading

        sys.path.clear()
        start = threading.Barrier(8)

        def say(number):
            start.wait()
            sys.stdout.write(f"{number}\n")

        threads = [threading.Thread(target=say, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sys.path

    assert run(body) == [[]]
    assert sorted(capsys.readouterr().out.split()) == [str(number) for number in range(8)]


def test_a_body_that_closed_everything_keeps_what_it_opened_instead():
    def body():
        import os

        os.closerange(6, 64)
        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]
        print("here")  # which imports
        return [os.fstat(fd).st_rdev for fd in opened] == [os.stat("/dev/null").st_rdev] * 40

    assert run(body) == [True]


def test_what_is_logged_is_kept_from_the_import_of_logging_on(caplog):
    def body():
        import logging

        logging.getLogger("first").warning("said %s", 1)
        return [type(handler).__name__ for handler in logging.getLogger().handlers], logging.raiseExceptions

    with caplog.at_level(logging.WARNING):
        assert run(body) == [(["LogKeeper"], False)]
    assert [record.getMessage() for record in caplog.records] == ["said 1"]


def test_warnings_arrive():
    def body():
        import warnings

        warnings.warn("mind this", stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(body)
    assert [str(warning.message) for warning in caught] == ["mind this"]


def test_signal_handlers_and_timers_are_undone_also_if_signal_was_imported_by_the_body():
    def change():
        import signal

        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        signal.setitimer(signal.ITIMER_REAL, 100)
        signal.alarm(100)
        return signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL

    def look():
        import signal

        return signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL, signal.getitimer(signal.ITIMER_REAL)

    assert run(change, look) == [True, (True, (0.0, 0.0))]


def test_modules_are_of_the_class_of_modules():
    def body():
        import sys
        import types

        return types.ModuleType.__name__, isinstance(sys, types.ModuleType), type(types) is types.ModuleType

    assert run(body) == [("module", True, True)]


def test_a_module_that_is_waited_for_is_imported_as_ever():
    def body():
        import importlib.util

        found = importlib.util.find_spec("logging")  # is not an import
        import logging
        import sys

        plain = type(logging.__loader__).__name__, logging.__spec__.loader is logging.__loader__
        return found.name, plain, len([finder for finder in sys.meta_path if finder.__module__.startswith("graflow")])

    name, plain, _ = run(body)[0]
    assert (name, plain) == ("logging", ("SourceFileLoader", True))


@pytest.mark.parametrize("workers", [1, 2])
def test_members_that_are_not_plain_are_as_ever(workers):
    captured = [1, 2]

    def member(ctx, number):
        ctx.get_channel().append("seen", number)
        return sum(captured) + number

    with workflow("group", max_workers=workers) as wf:
        body = task(id="member", inject_context=True)(member)
        parallel(*(body(task_id=f"m{number}", number=number) for number in range(20)))
    _, context = wf.execute(ret_context=True)
    assert context.channel.get("seen") == list(range(20))
    assert context.get_result("m7") == 10
