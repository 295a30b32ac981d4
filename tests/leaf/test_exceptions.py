"""Every error says what happened and survives pickling."""

import copy
import inspect
import pickle
import subprocess
import sys
import threading
import warnings

import cloudpickle
import pytest

from graflow_fast import exceptions
from graflow_fast._wire.exception_pickling import pack, unpack
from graflow_fast.exceptions import (
    DuplicateTaskError,
    GraflowError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    LostMutationError,
    LostMutationWarning,
    NotCachedWarning,
    ParallelGroupError,
    RemoteTaskError,
    RetryLimitExceededError,
    TaskError,
    TaskSerializationError,
    WorkerCrashedError,
    as_runtime_error,
)


def a_cause():
    cause = ValueError("inner")
    cause.__cause__ = KeyError("deep")
    return cause


EXAMPLES = {
    "GraflowError": lambda: GraflowError("m", a_cause()),
    "GraflowRuntimeError": lambda: GraflowRuntimeError("m", a_cause()),
    "GraphCompilationError": lambda: exceptions.GraphCompilationError("m"),
    "ConfigError": lambda: exceptions.ConfigError("m"),
    "UnknownOptionError": lambda: exceptions.UnknownOptionError("m"),
    "EnvironmentMismatchError": lambda: exceptions.EnvironmentMismatchError("dask", "a  b"),
    "DuplicateTaskError": lambda: DuplicateTaskError("x"),
    "TaskError": lambda: TaskError("t", "m", a_cause()),
    "CycleLimitExceededError": lambda: exceptions.CycleLimitExceededError("t", 3, 2),
    "RetryLimitExceededError": lambda: RetryLimitExceededError("t", 2, 2, a_cause()),
    "ParallelGroupError": lambda: ParallelGroupError("m", "g", [("a", None), ("b", "no")], ["c"]),
    "GraflowWorkflowCanceledError": lambda: GraflowWorkflowCanceledError("enough", "t"),
    "StepLimitExceededError": lambda: exceptions.StepLimitExceededError("t", 10_001, 10_000),
    "DeadlineExceededError": lambda: exceptions.DeadlineExceededError(2.5, ["a", "b"]),
    "TaskSerializationError": lambda: TaskSerializationError("t", "argument 'db'", "db.pool[0]", a_cause()),
    "JournalMismatchError": lambda: exceptions.JournalMismatchError("t", "it is gone"),
    "WorkerCrashedError": lambda: WorkerCrashedError("t", 2, 9, None, 5 << 30, "last words", "File x, line 1"),
    "TaskTimeoutError": lambda: exceptions.TaskTimeoutError("t", 1, 2.5),
    "TaskMemoryError": lambda: exceptions.TaskMemoryError("t", 1, 512 << 20, 600 << 20),
    "RemoteTaskError": lambda: RemoteTaskError("t", "lib.Odd", "m", "Traceback ..."),
    "LostMutationError": lambda: LostMutationError("t", ["x", "y"]),
    "LostMutationWarning": lambda: LostMutationWarning("t", ["x", "y"]),
    "NotCachedWarning": lambda: NotCachedWarning("t", "it holds a lock"),
}


def shown(value):
    """Exceptions compare by identity, so compare what they show."""
    return {name: repr(item) for name, item in vars(value).items()}


def test_every_public_error_has_an_example():
    """No error can be added without being covered by the tests below."""
    kinds = {
        name for name, value in vars(exceptions).items() if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert {name for name in kinds if name[0] != "_"} == EXAMPLES.keys()
    assert set(exceptions.__all__) == EXAMPLES.keys() | {"as_runtime_error"}


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
@pytest.mark.parametrize("name", EXAMPLES)
def test_pickling_keeps_everything(name, dumps):
    """Type, arguments, text, attributes and the chain of causes come through a pickle."""
    error = EXAMPLES[name]()
    again = pickle.loads(dumps(error))
    assert type(again) is type(error)
    assert again.args == error.args
    assert str(again) == str(error)
    assert shown(again) == shown(error)
    assert repr(again.__cause__) == repr(error.__cause__)
    if error.__cause__ is not None:
        assert repr(again.__cause__.__cause__) == "KeyError('deep')"
        assert again.cause is again.__cause__


@pytest.mark.parametrize("name", EXAMPLES)
def test_copying_keeps_everything(name):
    """``copy.copy`` of an error is as good as the error."""
    error = EXAMPLES[name]()
    assert shown(copy.copy(error)) == shown(error)


def test_pickling_works_into_a_fresh_interpreter():
    """An error unpickles in a process that has imported nothing yet."""
    code = "import pickle, sys; e = pickle.load(sys.stdin.buffer); print(e.exit_code, repr(e.__context__))"
    error = WorkerCrashedError("t", 1, exit_code=3)
    error.__context__ = KeyError("k")
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(error), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "3 KeyError('k')"


class Demanding(Exception):
    """Its constructor doesn't take its ``.args``, so ordinary pickling can't rebuild it."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


class Changing(Exception):
    """Its constructor changes its argument, so ordinary pickling applies it twice."""

    def __init__(self, text):
        super().__init__(f"<{text}>")


class Subclassed(GraflowRuntimeError):
    """A user's subclass with arguments of its own."""

    def __init__(self, a, b):
        super().__init__(f"{a} {b}")
        self.b = b


@pytest.mark.parametrize(
    "error",
    [
        Demanding(5, "no"),
        Changing("x"),
        Subclassed(1, 2),
        FileNotFoundError(2, "none", "f"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StopIteration(3),
        KeyError("k"),
        SystemExit(4),
    ],
    ids=lambda error: type(error).__name__,
)
def test_odd_exceptions_survive_packing(error):
    """Built-in and user exceptions whose constructors are special keep type, arguments, text and attributes."""
    again = unpack(pack(error))
    assert type(again) is type(error)
    assert (again.args, str(again), shown(again)) == (error.args, str(error), shown(error))
    for name in ("filename", "errno", "object", "value", "code"):
        assert getattr(again, name, None) == getattr(error, name, None)


def test_what_cannot_be_pickled_comes_back_as_a_stand_in():
    """An exception with a lock in it becomes a RemoteTaskError with type, message and traceback; its wrapper lives."""
    try:
        raise Demanding(threading.Lock(), "locked")
    except Demanding as error:
        wrapper = GraflowRuntimeError("outer", error)
    again = pickle.loads(pickle.dumps(wrapper))
    assert type(again) is GraflowRuntimeError
    stand_in = again.__cause__
    assert isinstance(stand_in, RemoteTaskError)
    assert stand_in is again.cause
    assert stand_in.type_name == f"{__name__}.Demanding"
    assert stand_in.message.endswith("locked")
    assert "test_what_cannot_be_pickled" in stand_in.traceback
    assert "locked" in str(stand_in)
    assert str(RemoteTaskError("t", "lib.Odd", "m")).startswith("Task 't' raised lib.Odd: m (")


def test_what_cannot_be_unpickled_comes_back_as_a_stand_in():
    """A class that the other side can't find gives a stand-in there, not an import error."""
    code = "import pickle, sys; e = pickle.load(sys.stdin.buffer); print(type(e.cause).__name__, e.cause.type_name)"
    data = pickle.dumps(GraflowRuntimeError("outer", Demanding(1, "x")))
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, cwd="/")
    assert done.stdout.decode().split() == ["RemoteTaskError", f"{__name__}.Demanding"]


def test_circular_and_long_chains_survive():
    """Errors that cause each other, or in a row of thousands, pickle without recursion."""
    first, second = GraflowError("a"), GraflowError("b")
    first.__cause__, second.__cause__ = second, first
    again = pickle.loads(pickle.dumps(first))
    assert again.__cause__.__cause__ is again

    last = ValueError("0")
    for number in range(1, 3000):
        error = ValueError(str(number))
        error.__context__ = last
        last = error
    again = unpack(pack(GraflowError("top", last)))
    for _ in range(3000):
        again = again.__cause__ or again.__context__
    assert repr(again) == "ValueError('0')"


def test_messages_as_in_graflow():
    """Texts that programs match on are those of graflow."""
    assert str(as_runtime_error(ValueError("x"))) == "An error occurred: x (caused by x)"
    assert str(exceptions.CycleLimitExceededError("t", 3, 2)) == (
        "CycleLimitExceededError(task_id=t, cycle_count=3, max_cycles=2)"
    )
    assert str(RetryLimitExceededError("t", 2, 2)) == (
        "RetryLimitExceededError(task_id=t, retry_count=2, max_retries=2)"
    )
    assert str(TaskError("t", "m")) == "Error in task 't': m"


def test_cancel_message_is_exact():
    """``str()`` of a cancellation is the message alone; who cancelled is an attribute."""
    error = GraflowWorkflowCanceledError("enough", "t")
    assert (str(error), error.message, error.task_id) == ("enough", "enough", "t")


def test_duplicate_names_the_task_once():
    """A duplicate's id is the bare id."""
    error = DuplicateTaskError("x1")
    assert error.task_id == "x1"
    assert str(error).count("x1") == 1


def test_as_runtime_error_keeps_runtime_errors():
    """What is a runtime error already is not wrapped again; anything else becomes the cause."""
    error = TaskError("t", "m")
    assert as_runtime_error(error) is error
    inner = KeyError("k")
    assert as_runtime_error(inner).__cause__ is inner


def test_new_errors_are_runtime_errors_that_tell_task_attempt_and_way_out():
    """Each new error is caught by ``except GraflowRuntimeError`` and says what to do."""
    hints = {
        "StepLimitExceededError": "max_steps",
        "TaskSerializationError": 'handler="direct"',
        "WorkerCrashedError": "max_retries",
        "TaskTimeoutError": "timeout",
        "TaskMemoryError": "memory_limit",
        "LostMutationError": "channel",
    }
    for name, hint in hints.items():
        error = EXAMPLES[name]()
        assert isinstance(error, GraflowRuntimeError)
        assert "'t'" in str(error)
        assert hint in str(error)
        if hasattr(error, "attempt"):
            assert f"attempt {error.attempt}" in str(error)


def test_crash_message_tells_how_it_died():
    """Signals by name, exit codes by number, memory in readable units, and the last output."""
    killed = str(EXAMPLES["WorkerCrashedError"]())
    for part in ("SIGKILL", "5.0 GB", "out of memory", "last words", "File x, line 1"):
        assert part in killed
    assert "exit code 3" in str(WorkerCrashedError("t", 1, exit_code=3))
    assert "out of memory" not in str(WorkerCrashedError("t", 1, signal=11))
    assert "signal 200" in str(WorkerCrashedError("t", 1, signal=200))


def test_lost_mutation_is_a_warning_with_the_same_words_as_the_error():
    """Warning and error say the same; the warning can be filtered as a UserWarning."""
    with pytest.warns(LostMutationWarning) as seen:
        warnings.warn(LostMutationWarning("t", ["x"]), stacklevel=1)
    assert str(seen[0].message) == str(LostMutationError("t", ["x"]))
    assert issubclass(LostMutationWarning, UserWarning)
    assert seen[0].message.variables == ("x",)
