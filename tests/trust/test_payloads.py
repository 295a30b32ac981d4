"""Misbehaving bodies × places in a workflow: each gives its own error, all other tasks complete, the pool goes on.

After the table of loky's tests. Owns what each of `payloads` must lead to, in the words that users read.
"""

import re
import sys
import threading

import payloads
import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    ParallelGroupError,
    RemoteTaskError,
    TaskMemoryError,
    TaskSerializationError,
    TaskTimeoutError,
    WorkerCrashedError,
)

PLACES = ("root", "first", "later", "chained")
SLOW_PLACES = ("root", "later")


def crash(words):
    return WorkerCrashedError, rf"The worker process running task 'bad' \(attempt 1\) {words}"


def unsendable(words):
    return TaskSerializationError, rf"Task 'bad': the result can't be sent between processes{words}.* Open or create it"


def raised(kind, words):
    """An error of the body's own arrives as the cause of the run's error, as inline."""
    return kind, words


TIMED_OUT = (TaskTimeoutError, r"Task 'bad' \(attempt 1\) ran longer than its timeout of 0.3 s and was stopped")

#: payload -> (options of its task, type of the error, pattern that its message must match)
ERRORS = {
    "segfault": ({}, *crash(r"was killed by SIGSEGV.*Its memory had peaked at \d+ MB.*max_retries.*in segfault")),
    "null_pointer": ({}, *crash("was killed by SIGSEGV.*Where it was:.*in null_pointer")),
    "abort": ({}, *crash("was killed by SIGABRT.*Where it was:.*in abort")),
    "kill_itself": ({}, *crash("was killed by SIGKILL.*probably ran out of memory")),
    "hard_exit": ({}, *crash("ended by itself with exit code 3")),
    "hard_exit_zero": ({}, *crash("ended by itself with exit code 0")),
    "close_everything": ({}, *crash("was stopped, because it closed its own link")),
    "deep_recursion": ({}, *raised(RecursionError, "maximum recursion depth exceeded")),
    "deep_c_recursion": ({}, *unsendable(r", because of result\[0\]\[0\].*excessively deep recursion")),
    "plain_raise": ({}, *raised(payloads.Plain, r"\('as it should be', 3\)")),
    "notes_and_chain": ({}, *raised(payloads.Plain, "outer")),
    "result_with_lock": (
        {},
        *unsendable(r", because of result\['rows'\]\[2\]\['guard'\]: cannot pickle"),
    ),
    "result_raising_in_reduce": ({}, *unsendable(r", because of result\[0\]: I stay here")),
    "result_raising_in_getstate": ({}, *unsendable(": no state for you")),
    "result_exiting_in_reduce": ({}, *crash("ended by itself with exit code 9")),
    "raise_unpicklable": (
        {},
        RemoteTaskError,
        r"Task 'bad' raised payloads.HoldsLock: with a lock inside \(this stands in.*In the worker:.*raise HoldsLock",
    ),
    "raise_needs_two": ({}, *raised(payloads.NeedsTwo, "404: not there")),
    "raise_fails_to_load": ({}, RemoteTaskError, "Task 'bad' raised payloads.FailsToLoad: only here"),
    "raise_recursive_causes": ({}, *raised(ValueError, "one")),
    "raise_long_chain": ({}, *raised(ValueError, "2999")),
    "eat_memory": (
        {"memory_limit": "200MB"},
        TaskMemoryError,
        r"Task 'bad' \(attempt 1\) went over its memory_limit of 200 MB \(it reached \d+ MB|1\.\d GB\) and was stopped",
    ),
    "never_return": ({"timeout": 0.3}, *TIMED_OUT),
    "never_return_in_c": ({"timeout": 0.3}, *TIMED_OUT),
    "stop_itself": ({"timeout": 0.3}, *TIMED_OUT),
    "spin": ({"timeout": 0.3}, *TIMED_OUT),
}
if sys.version_info >= (3, 11):
    ERRORS["raise_group"] = ({}, *raised(ExceptionGroup, "several"))  # noqa: F821

#: payload -> what it returns; the trick must do no harm.
VALUES = {
    "fork_lingering": "parent",
    "fork_returning": "parent",
    "spawn_lingering": "started",
    "close_descriptors": "closed",
    "close_streams": "closed",
    "lose_streams": "lost",
    "write_to_descriptor": "written",
    "print_from_c": "put",
    "leave_thread": "left",
    "change_surroundings": "changed",
    "fill_descriptors": 24,
}

#: payload -> what leaves execute(), as inline.
EXITS = {
    "soft_exit": (SystemExit, "7"),
    "exit_with_words": (SystemExit, "enough of this"),
    "interrupt": (KeyboardInterrupt, ""),
}


def execute(place, payload, **options):
    """Run a payload in a place among well-behaved tasks; return the context."""
    with workflow("trust") as wf:
        bad = task(id="bad", **options)(payload)
        others = [task(id=f"good{number}")(payloads.good) for number in range(4)]
        if place == "root":
            others[0] >> bad
        elif place == "first":
            bad | others[0] | others[1] | others[2]
        elif place == "later":
            others[0] | others[1] | bad | others[2]
        else:
            (others[0] >> bad) | others[1] | others[2]
    start = "good0" if place == "root" else None
    return wf.execute(start, executor="process", max_workers=2, ret_context=True)[1]


def own_error(place, error):
    """The error of the bad task itself, out of what execute() raised; and that all other tasks completed."""
    if place != "root":
        assert isinstance(error, ParallelGroupError)
        members = {"first": 3, "later": 3, "chained": 2}[place]
        assert len(error.successful_tasks) == members
        assert len(error.failed_tasks) == 1
        error = error.__cause__
    if type(error) is GraflowRuntimeError:
        error = error.__cause__
    return error


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("place", PLACES)
def test_error(place, name):
    options, kind, words = ERRORS[name]
    if options and place not in SLOW_PLACES:
        pytest.skip("limits are tried in two places")
    with pytest.raises(GraflowRuntimeError) as caught:
        execute(place, getattr(payloads, name), **options)
    error = own_error(place, caught.value)
    assert type(error) is kind
    assert re.match(words, str(error), re.DOTALL), str(error)
    assert execute("first", payloads.good).get_result("bad") == "good"


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_value(place, name):
    for _ in range(2):  # the second time on the same worker, or the one that replaced it
        assert execute(place, getattr(payloads, name)).get_result("bad") == VALUES[name]


@pytest.mark.parametrize("name", EXITS)
@pytest.mark.parametrize("place", PLACES)
def test_exit(place, name):
    kind, words = EXITS[name]
    with pytest.raises(kind) as caught:
        execute(place, getattr(payloads, name))
    assert str(caught.value) == words
    assert execute("first", payloads.good).get_result("bad") == "good"


@pytest.mark.parametrize("policy", ["best_effort", "strict"])
def test_no_policy_tolerates_an_exit(policy):
    with workflow("trust") as wf:
        group = task(id="good")(payloads.good) | task(id="bad")(payloads.soft_exit)
        group.with_execution(policy=policy)
    with pytest.raises(SystemExit):
        wf.execute(max_workers=2)


def test_a_result_that_does_not_load_fails_who_reads_it():
    with workflow("trust") as wf:
        task(id="bad")(payloads.result_raising_on_load)
    with pytest.raises(GraflowRuntimeError, match="came back from a worker process, but its class can't load it here"):
        wf.execute(executor="process", max_workers=1)
    context = execute("first", payloads.result_raising_on_load)
    with pytest.raises(GraflowRuntimeError, match=r"The result of task 'bad' came back .* I refuse to be loaded"):
        context.get_result("bad")


def test_an_appended_value_that_does_not_load_fails_its_task():
    def appends(ctx):
        ctx.get_channel().append("list", "fine")
        ctx.get_channel().append("list", payloads.RaisesOnLoad())

    with workflow("trust") as wf:
        bad = task(id="bad", inject_context=True)(appends)
        (bad | task(id="good")(payloads.good)).with_execution(policy="best_effort")
    context = wf.execute(max_workers=2, ret_context=True)[1]
    assert context.get_result("good") == "good"
    assert not context.channel.exists("list")


def test_exceptions_keep_their_content():
    with pytest.raises(GraflowRuntimeError) as caught:
        execute("root", payloads.raise_needs_two)
    assert (caught.value.__cause__.code, caught.value.__cause__.reason) == (404, "not there")
    with pytest.raises(GraflowRuntimeError) as caught:
        execute("root", payloads.notes_and_chain)
    assert str(caught.value.__cause__.__cause__) == "'inner'"
    with pytest.raises(GraflowRuntimeError) as caught:
        execute("root", payloads.raise_recursive_causes)
    one = caught.value.__cause__
    assert one.__cause__.__cause__ is one


def test_an_exception_whose_message_can_not_be_made():
    with pytest.raises(GraflowRuntimeError, match=r"NoMessage .its message can't be shown: RuntimeError"):
        execute("root", payloads.raise_without_message)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups")
def test_a_group_with_an_unpicklable_member_keeps_the_others():
    def raises():
        raise ExceptionGroup("several", [ValueError("one"), payloads.HoldsLock("two")])  # noqa: F821

    with pytest.raises(GraflowRuntimeError) as caught:
        execute("root", raises)
    one, two = caught.value.__cause__.exceptions
    assert type(one) is ValueError
    assert (type(two), two.type_name) == (RemoteTaskError, "payloads.HoldsLock")


class Connection:
    def __init__(self):
        self.lock = threading.Lock()


UNSENDABLE = Connection()


def test_an_unpicklable_argument_is_named():
    @task
    def reads(data):
        return data

    with workflow("trust") as wf:
        bad = reads(task_id="bad", data={"conn": Connection()})
        (bad | task(id="good")(payloads.good)).with_execution(policy="strict")
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(max_workers=2)
    assert type(caught.value.__cause__) is TaskSerializationError
    assert str(caught.value.__cause__).startswith(
        "Task 'bad': argument 'data' can't be sent between processes, because of data['conn'].lock: "
        "cannot pickle '_thread.lock' object. "
    )


def test_an_unpicklable_captured_variable_is_named():
    connection = Connection()

    def reads():
        return connection

    with pytest.raises(TaskSerializationError, match=r"captured variable 'connection' .* because of connection.lock"):
        execute("root", reads)


def test_an_unpicklable_global_is_named():
    namespace = {"UNSENDABLE": Connection(), "__name__": "__main__"}
    exec("def reads():\n    return UNSENDABLE", namespace)
    with pytest.raises(TaskSerializationError, match=r"global variable 'UNSENDABLE' .* because of UNSENDABLE.lock"):
        execute("root", namespace["reads"])


def test_an_unpicklable_channel_value_is_named():
    def writes(ctx):
        ctx.get_channel().set("conn", [Connection()])

    with workflow("trust") as wf:
        task(id="bad", inject_context=True)(writes)
    with pytest.raises(TaskSerializationError, match=r"'bad': channel value 'conn' .* because of conn\[0\].lock"):
        wf.execute(executor="process", max_workers=1)


def test_an_argument_that_does_not_load_is_named():
    @task
    def reads(data):
        return data

    with workflow("trust") as wf:
        reads(task_id="bad", data=payloads.RaisesOnLoad()) | task(id="good")(payloads.good)
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute(max_workers=2)
    assert "Task 'bad': an argument can't be sent between processes: I refuse" in str(caught.value.__cause__)


def test_a_body_that_does_not_load_says_why_each_time():
    held = payloads.RaisesOnLoad()
    with workflow("trust") as wf:
        task(id="bad")(lambda: held)
        task(id="worse")(lambda: (held, 1))
        wf.graph.get_node("bad") | wf.graph.get_node("worse")
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute(executor="process", max_workers=1)
    said = [message for _, message in caught.value.failed_tasks]
    assert ["I refuse" in message for message in said] == [True, True]
