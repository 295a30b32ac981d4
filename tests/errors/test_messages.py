"""The errors of the language, read as their user reads them: which task, what happened, why, what to do.

In the order of the contract: placement, defining, starting, running, control. Those of worker processes are in
tests/trust, all of them as they appear on a terminal in docs/errors.md.
"""

import re
import sys
import traceback
import warnings

import pytest

from graflow_fast.coordination.coordinator import CoordinationBackend
from graflow_fast.core.decorators import task
from graflow_fast.core.handlers.group_policy import AtLeastNGroupPolicy, CriticalGroupPolicy
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import (
    ConfigError,
    CycleLimitExceededError,
    DuplicateTaskError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    GraphCompilationError,
    ParallelGroupError,
    RetryLimitExceededError,
    StepLimitExceededError,
)

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])
NOTES = pytest.mark.skipif(sys.version_info < (3, 11), reason="notes under a traceback came with Python 3.11")


def nothing():
    """A body."""


def notes(error):
    """The lines that stand under an error's traceback."""
    return getattr(error, "__notes__", [])


# --- placement


def test_misspelt_parameters_of_execute_and_workflow():
    """They are errors of Python's kind, too, and the hint knows the parameters that are no settings."""
    with workflow("w") as wf:
        task("a")(nothing)
    with pytest.raises(TypeError, match=r"Unknown option 'initial_chanel'. Did you mean 'initial_channel'\?"):
        wf.execute(initial_chanel={})
    with pytest.raises(TypeError, match=r"Unknown option 'start'. Did you mean 'start_node'\?"):
        wf.execute(start="a")
    with pytest.raises(TypeError, match=r"Unknown option 'tracr'. Did you mean 'tracer'\?"):
        workflow("w", tracr=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "processes"}, "executor='processes' is unknown. Did you mean 'process'?"),
        ({"executor": "ray"}, "executor='ray' is unknown. Choose one of auto, inline, thread, process"),
        ({"max_worker": 2}, "Unknown option 'max_worker'. Did you mean 'max_workers'?"),
        ({"max_workers": 0}, "max_workers=0 must be a positive whole number"),
        ({"schedule": "paralel"}, "schedule='paralel' is unknown. Did you mean 'parallel'?"),
        ({"timeout": -1}, "timeout=-1 must be a positive number of seconds"),
        ({"memory_limit": "much"}, "memory_limit='much' is not a size; write bytes or a text such as '512MB'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_of_execute(options, message):
    """The same for execute() and workflow()."""
    with workflow("w") as wf:
        task("a")(nothing)
    for use in (lambda: wf.execute(**options), lambda: workflow("v", **options)):
        with pytest.raises(ConfigError) as caught:
            use()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "EXECUTOR",
            "proces",
            "The environment says GRAFLOW_FAST_EXECUTOR='proces', which is unknown. Did you mean 'process'?",
        ),
        ("WORKERS", "two", "The environment says GRAFLOW_FAST_WORKERS='two', which must be a positive whole number"),
    ],
)
def test_options_of_the_environment(monkeypatch, variable, value, message):
    """It says where the value comes from."""
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", "process")
    monkeypatch.setenv(f"GRAFLOW_FAST_{variable}", value)
    with workflow("w") as wf:
        task("a")(nothing)
    with pytest.raises(ConfigError) as caught:
        wf.execute()
    assert str(caught.value) == message


def test_unknown_handler():
    """It names the task and what there is; a likely name stands under it."""
    with workflow("w") as wf:
        task("a", handler="proces")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute()
    cause = caught.value.__cause__
    assert str(cause) == "Unknown handler type: proces. Supported: direct, thread, process (task 'a')"
    if sys.version_info >= (3, 11):
        assert notes(cause) == ["Did you mean 'process'?"]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_limit_without_a_process(executor):
    """A timeout that could not be kept is refused before anything runs."""
    with workflow("w") as wf:
        task("a", timeout=5)(nothing)
    with pytest.raises(ConfigError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value) == (
        f"Task 'a' has a timeout, but executor='{executor}' runs it in this process, which can't be stopped. "
        "Use executor='auto' or 'process', or drop the limit"
    )


def test_redis_backend():
    """It names the group and what to use instead."""
    with workflow("w"):
        group = task("a")(nothing) | task("b")(nothing)
        with pytest.raises(ConfigError) as caught:
            group.with_execution(backend=CoordinationBackend.REDIS)
    assert str(caught.value) == (
        "Group 'ParallelGroup_1': the REDIS backend is not part of graflow_fast; "
        "use CoordinationBackend.PROCESS (worker processes on this machine) instead"
    )


# --- defining


@pytest.mark.parametrize("option", ["inject_llm_client", "inject_llm_agent"])
def test_llm_injection(option):
    """It names task and option, and says what to do."""
    with pytest.raises(ConfigError) as caught:
        task("a", **{option: True})(nothing)
    assert str(caught.value) == (
        f"Task 'a': {option} is not part of graflow_fast. Use graflow for LLM injection, "
        "or create the client inside the task's body"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout=0 must be a positive number of seconds"),
        ({"memory_limit": -1}, "memory_limit=-1 must be positive"),
        (
            {"memory_limit": "10 parsecs"},
            "memory_limit='10 parsecs' is not a size; write bytes or a text such as '512MB'",
        ),
        ({"max_concurrency": 0}, "max_concurrency=0 must be a positive number of tasks"),
    ],
)
def test_options_of_a_task(options, message):
    """Refused where they are written."""
    with pytest.raises(ConfigError) as caught:
        task("a", **options)(nothing)
    assert str(caught.value) == message


def test_positional_arguments_of_an_instance():
    """It says both things that may have been meant."""

    @task
    def a():
        pass

    with pytest.raises(TypeError) as caught:
        a(1)
    assert str(caught.value) == (
        "Task 'a' takes keyword arguments only when it makes an instance (got 1 positional); "
        "use a(task_id=..., name=value) or a.run(...) to call the body"
    )


def test_no_function():
    """What is decorated has to be callable; the task may have one id."""
    for use, message in (
        (lambda: task(5), "@task decorates a function, not int"),
        (lambda: task("a", id="b")(nothing), "@task got two different ids: 'a' and 'b'"),
    ):
        with pytest.raises(TypeError) as caught:
            use()
        assert str(caught.value) == message


def test_no_task_in_a_chain():
    """It says what was found, and what may have happened."""
    a = task("a")(nothing)
    for use in (lambda: a >> None, lambda: a << None, lambda: a | None):
        with pytest.raises(TypeError) as caught:
            use()
        assert str(caught.value) == (
            "Can only combine with Task, TaskWrapper, SequentialTask, or ParallelGroup: <class 'NoneType'> "
            "(did you call the task instead of naming it?)"
        )


def test_a_context_that_was_not_asked_for():
    """Who forgets inject_context=True is told so."""
    with workflow("w") as wf:
        task("forgot")(lambda ctx: ctx.task_id)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute()
    assert str(caught.value.__cause__).endswith(
        "no single task before it returned a value). A task is given its context with @task(inject_context=True)"
    )


def test_a_start_that_is_no_id():
    with workflow("w") as wf:
        a = task("a")(nothing)
    with pytest.raises(GraphCompilationError, match=r"^start_node takes the id of a task: execute\('a'\)$"):
        wf.execute(a)
    with pytest.raises(GraphCompilationError, match="^start_node takes the id of a task: not int$"):
        wf.execute(5)


def test_duplicate():
    """The id, as text and as attribute; what to do stands under it."""
    with workflow("w"):
        task("a")(nothing)
        with pytest.raises(DuplicateTaskError) as caught:
            task("a")(nothing)
    assert (str(caught.value), caught.value.task_id) == ("Duplicate task ID: Node 'a' already exists in graph", "a")
    if sys.version_info >= (3, 11):
        assert notes(caught.value) == [
            "Give one of the two another id: @task(id=...), or task_id= for an instance of 'a'."
        ]


@EXECUTORS
def test_open_parameter(executor):
    """It names task, parameter and each place where it was looked for."""
    with workflow("w") as wf:

        @task("the_task")
        def total(numbers, factor=2):
            return sum(numbers) * factor

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'the_task' is missing 1 required positional argument: 'numbers' (not bound; not in the channel "
        "(as 'numbers.__result__' or 'numbers'); no default; no single task before it returned a value)"
    )


@EXECUTORS
def test_open_parameters_after_a_task(executor):
    """Of a mapping and of a single value it says why they did not do."""
    for value, why in (({"x": 1}, "not in the mapping that the task before returned"), (5, "one int for 2 open")):
        with workflow("w") as wf:

            @task
            def first(value=value):
                return value

            @task
            def second(left, right):
                return left + right

            first >> second
        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=executor)
        text = str(caught.value.__cause__)
        assert text.startswith("Task 'second' is missing 2 required positional arguments: 'left' and 'right' (")
        assert why in text


@EXECUTORS
def test_misspelt_binding(executor):
    """It names the task and the parameter that was probably meant."""
    with workflow("w") as wf:

        @task
        def load(path):
            return path

        load(task_id="users", paht="users.csv")
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("users", executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'users' got an unexpected keyword argument 'paht': its function has no such parameter. "
        "Did you mean 'path'?"
    )


# --- starting


def test_several_starts():
    """It names them, and both ways out."""
    with workflow("w") as wf:
        a, b, c = (task(name)(nothing) for name in "abc")
        a >> c
        b >> c
    with pytest.raises(GraphCompilationError) as caught:
        wf.execute()
    assert str(caught.value) == (
        "Multiple start nodes found, please specify one: a, b "
        "(execute(start_node=...), or schedule='parallel' to start all)"
    )


def test_no_start():
    """A loop needs a start."""
    with workflow("w") as wf:
        a, b = (task(name)(nothing) for name in "ab")
        a >> b >> a
    with pytest.raises(GraphCompilationError) as caught:
        wf.execute()
    assert str(caught.value) == (
        "No start node specified and no nodes with no predecessors found in workflow 'w': "
        "every task follows another one (a cycle needs execute(start_node=...))"
    )


def test_unknown_start():
    """A likely name, also of a group's member; else the names there are."""
    with workflow("w") as wf:
        publish, members = task("publish")(nothing), [task(name)(nothing) for name in ("first", "second")]
        publish >> (members[0] | members[1])
    for name, hint in (
        ("pubish", "Did you mean 'publish'?"),
        ("frist", "Did you mean 'first'?"),
        ("x", "There are: publish"),
    ):
        with pytest.raises(GraphCompilationError) as caught:
            wf.execute(name)
        assert str(caught.value).startswith(
            f"Start node '{name}' is neither in workflow 'w' nor a task of the module that built it. {hint}"
        )


def test_empty_workflow():
    """It would run the one unused task of the module, and there is none here."""
    source = "from graflow_fast.core.workflow import workflow\nwith workflow('w') as wf:\n    wf.execute()\n"
    with pytest.raises(GraphCompilationError) as caught:
        exec(source, {"__name__": "a_module"})
    assert str(caught.value) == (
        "Workflow 'w' is empty. It would adopt the one unused task of its module, but there is none"
    )


def test_empty_workflow_with_a_choice():
    """It names those it can't choose from."""
    source = (
        "from graflow_fast.core.decorators import task\n"
        "from graflow_fast.core.workflow import workflow\n"
        "a, b = task('a')(lambda: 1), task('b')(lambda: 2)\n"
        "with workflow('w') as wf:\n    wf.execute()\n"
    )
    with pytest.raises(GraphCompilationError) as caught:
        exec(source, {"__name__": "a_module"})
    assert str(caught.value) == (
        "Workflow 'w' is empty. It would adopt the one unused task of its module, "
        "but there are several that no workflow has used: a, b"
    )


# --- running


@EXECUTORS
def test_a_body_raises(executor):
    """The cause is the body's exception; the terminal shows the user's lines, the task, and none of our own lines."""
    with workflow("w") as wf:

        @task
        def load():
            return int("12 apples")

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == (
        "An error occurred: invalid literal for int() with base 10: '12 apples' "
        "(caused by invalid literal for int() with base 10: '12 apples')"
    )
    assert type(error.__cause__) is ValueError
    assert error.task_id == "load"
    shown = "".join(traceback.format_exception(error))
    assert 'return int("12 apples")' in shown
    assert "wf.execute(executor=executor)" in shown
    assert "/graflow_fast/_run/" not in shown
    assert "/graflow_fast/_worker/" not in shown
    if sys.version_info >= (3, 11):
        assert shown.rstrip().endswith("in task 'load'")


def test_full_traceback(monkeypatch):
    """Whoever works on the package can have its lines."""
    monkeypatch.setenv("GRAFLOW_FAST_FULL_TRACEBACK", "1")
    with workflow("w") as wf:
        task("a")(lambda: 1 / 0)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor="inline")
    assert "/graflow_fast/_run/" in "".join(traceback.format_exception(caught.value))


@EXECUTORS
def test_a_member_fails(executor):
    """graflow's message, the failed members with their messages, the first one's error as the cause."""
    with workflow("w") as wf:

        @task
        def users():
            raise FileNotFoundError("users.csv")

        @task
        def orders():
            raise ValueError("empty file")

        (users | orders | task("prices")(nothing)).set_group_name("all")
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "Parallel group all failed: 2 task(s) failed"
    assert (error.group_id, error.successful_tasks) == ("all", ["prices"])
    assert error.failed_tasks == [
        ("users", "An error occurred: users.csv (caused by users.csv)"),
        ("orders", "An error occurred: empty file (caused by empty file)"),
    ]
    assert isinstance(error.__cause__.__cause__, FileNotFoundError)
    if sys.version_info >= (3, 11):
        assert notes(error) == [
            "  member 'users': FileNotFoundError: users.csv",
            "  member 'orders': ValueError: empty file",
        ]


@NOTES
def test_many_members_fail():
    """Ten are named, the others counted."""
    with workflow("w") as wf:

        @task
        def bad():
            raise ValueError("no")

        members = [bad(task_id=f"m{number}") for number in range(12)]
        group = members[0] | members[1]
        for member in members[2:]:
            group = group | member
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute("ParallelGroup_1", executor="inline")
    assert len(notes(caught.value)) == 11
    assert notes(caught.value)[-1] == "  and 2 more: see failed_tasks"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (AtLeastNGroupPolicy(2), "Only 1/2 tasks succeeded in group pair"),
        (CriticalGroupPolicy(["a"]), "Critical tasks failed: ['a']"),
        (AtLeastNGroupPolicy(3), "min_success (3) cannot exceed number of tasks (2)"),
        (CriticalGroupPolicy(["zzz"]), "Critical task ids ['zzz'] are not part of parallel group pair"),
        ("best_efort", "Unknown group execution policy 'best_efort'. Available policies: "),
        ("critical", "Policy 'critical' needs arguments: pass CriticalGroupPolicy(...) instead of its name"),
    ],
    ids=["too few", "critical", "too many wanted", "stranger", "misspelt", "without arguments"],
)
def test_policies(policy, message):
    """Each says what was wanted and what was there."""
    with workflow("w") as wf:
        pair = task("a")(lambda: 1 / 0) | task("b")(nothing)
        pair.set_group_name("pair").with_execution(policy=policy)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor="inline")
    assert message in str(caught.value)


@EXECUTORS
def test_lock_timeout(executor):
    """It names the key and how long was waited, whoever holds the lock."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def waits(ctx):
            with ctx.get_channel().lock("file", timeout=0.05):
                pass

    if executor == "process":
        pytest.skip("nobody else holds it there; see tests/compat/programs/chan_lock_timeout.py and docs/errors.md")
    context = wf._prepare(None, None, None, wf.settings.merged({"executor": executor}))
    import threading

    held, done = threading.Event(), threading.Event()

    def hold():
        with context.channel.lock("file"):
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    try:
        with pytest.raises(GraflowRuntimeError) as caught:
            context.execute()
    finally:
        done.set()
        holder.join()
    assert str(caught.value.__cause__) == "Could not acquire lock for key 'file' within 0.05s"


# --- control


@EXECUTORS
def test_cycle_limit(executor):
    """The task by its own name, how often it ran and may run; the user's call; what to do."""
    with workflow("w") as wf:

        @task(inject_context=True, max_cycles=3)
        def optimize(ctx):
            ctx.next_iteration()

    with pytest.raises(CycleLimitExceededError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "CycleLimitExceededError(task_id=optimize, cycle_count=3, max_cycles=3)"
    assert (error.task_id, error.cycle_count, error.max_cycles) == ("optimize", 3, 3)
    assert "ctx.next_iteration()" in "".join(traceback.format_exception(error))
    if sys.version_info >= (3, 11):
        assert notes(error) == ["Raise the limit with @task(max_cycles=...), or ask ctx.can_iterate() before."]


@EXECUTORS
def test_retries_exhausted(executor):
    """How often it was tried; the cause is what the last attempt raised."""
    with workflow("w") as wf:

        @task(max_retries=2, inject_context=True)
        def fetch(ctx):
            raise ConnectionError(f"call {ctx.retry_count + 1}")

    with pytest.raises(RetryLimitExceededError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "RetryLimitExceededError(task_id=fetch, retry_count=3, max_retries=2)"
    assert repr(error.__cause__) == "ConnectionError('call 3')"
    if sys.version_info >= (3, 11):
        assert notes(error) == ["in task 'fetch', which was tried 3 times"]


@EXECUTORS
def test_cancelled(executor):
    """The message is exactly the one given, with nothing under it; who said it is an attribute."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def validate(ctx):
            ctx.cancel_workflow("Data validation failed")

    with pytest.raises(GraflowWorkflowCanceledError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert (str(error), error.message, error.task_id) == ("Data validation failed",) * 2 + ("validate",)
    assert notes(error) == []


@EXECUTORS
def test_max_steps(executor):
    """A warning that names what was next, where the user called."""
    with workflow("w") as wf:
        a, b, c = (task(name)(nothing) for name in "abc")
        a >> b >> c
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, context = wf.execute(max_steps=1, ret_context=True, executor=executor)
    (warning,) = caught
    assert str(warning.message) == "Workflow stopped after max_steps=1 tasks; waiting to run: b"
    assert warning.filename == __file__
    assert context.stop_reason == "max_steps"


def test_endless_loop():
    """It names the task, the limit, and what to do."""
    with workflow("w") as wf:
        a, b = (task(name)(nothing) for name in "ab")
        a >> b >> a
    with pytest.raises(StepLimitExceededError) as caught:
        wf.execute("a", executor="inline")
    error = caught.value
    assert (error.task_id, error.executions, error.limit) == ("a", 10_001, 10_000)
    assert str(error) == (
        "Task 'a' was executed 10001 times in one run, more than the limit of 10000: its loop seems never to end. "
        "Check what should leave the loop, or pass max_steps to stop a run quietly."
    )


@EXECUTORS
def test_next_task_of_something_else(executor):
    """It names the task that said it, and what may have happened."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.next_task("save")

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'load': next_task() takes a task, a chain or a group, not str (name the task without calling it)"
    )


@EXECUTORS
def test_get_node_of_a_misspelt_name(executor):
    """graflow's KeyError, with the likely name under it."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.graph.get_node("on_eror")

        task("on_error")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    cause = caught.value.__cause__
    assert type(cause) is KeyError
    assert str(cause) == "'Task on_eror not found in graph'"
    if sys.version_info >= (3, 11):
        assert notes(cause) == ["Did you mean 'on_error'?"]


@EXECUTORS
def test_an_edge_to_nowhere(executor):
    """An edge added at run time that names no task says which, and fails the task that added it."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.graph.add_edge("load", "sav")

        task("save")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    assert str(caught.value) == ("An edge names task 'sav', which is not in the graph. Did you mean 'save'?")


@EXECUTORS
@pytest.mark.parametrize("member", ["llm_client", "prompt_manager"])
def test_llm_members(executor, member):
    """What belongs to graflow says so, with the task."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            getattr(ctx, member)

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        f"Task 'load': {member} is not part of graflow_fast; use graflow for it, or do it inside the body"
    )


@EXECUTORS
def test_feedback(executor):
    """Human feedback as well."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.request_approval("?")

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert re.match(
        r"Task 'load': request_\w+\(\) is not part of graflow_fast; use graflow", str(caught.value.__cause__)
    )


@EXECUTORS
def test_duplicate_fragment(executor):
    """A fragment that brings another task under a taken name."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            first, second = (TaskWrapper(name, nothing, register_to_context=False) for name in ("new", "save"))
            ctx.next_task(first >> second)

        task("save")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    assert str(caught.value.__cause__) == "Duplicate task ID: Node 'save' already exists in graph"


def test_hints_are_cheap_and_careful():
    """Case does not matter, an unlikely name gives none, and neither does what is no text."""
    from graflow_fast._hints import did_you_mean

    assert did_you_mean("LOAD", ["save", "load"]) == "Did you mean 'load'?"
    assert did_you_mean("xyz", ["save", "load"]) == ""
    assert did_you_mean(5, ["save"]) == ""
