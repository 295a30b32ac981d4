"""Values whose own methods fail or take hours: proxies of closed sessions, lazy queries, arrays without a truth value.

A run carries them, wherever they are: it calls no method of a value that nobody asked for. Each call that happens,
in whatever process, is written to a file.
"""

import logging
import warnings

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.core.context import ExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError
from graflow_fast.trace import ConsoleTracer, NoopTracer

EXECUTORS = pytest.mark.parametrize("executor", ["auto", "inline", "thread", "process"])

#: What nobody may call unasked.
METHODS = (
    *("__str__", "__repr__", "__format__", "__bytes__", "__eq__", "__ne__"),
    *("__lt__", "__hash__", "__bool__", "__len__", "__iter__", "__contains__"),
    *("__getitem__", "__int__", "__float__", "__index__", "__call__", "__dir__"),
    *("__sizeof__", "__copy__", "__deepcopy__", "__enter__", "__array__", "__add__"),
    *("__radd__",),
)


class Refused(Exception):
    """A method was called that nobody asked for."""


class Hostile:
    """A value that can be carried and nothing else."""

    __slots__ = ("__weakref__", "log")

    def __init__(self, log):
        object.__setattr__(self, "log", log)

    def __reduce__(self):
        return Hostile, (self.log,)

    def __getattr__(self, name):
        refuse(self, name)

    @property
    def nbytes(self):
        refuse(self, "nbytes")

    @property
    def task_id(self):
        refuse(self, "task_id")


def refuse(value, name):
    with open(object.__getattribute__(value, "log"), "a") as file:
        file.write(f"{name}\n")
    raise Refused(name)


def refusing(name):
    return lambda self, *args, **kwargs: refuse(self, name)


for method in METHODS:
    setattr(Hostile, method, refusing(method))


class HostileError(Exception):
    """An exception that has no message."""

    def __str__(self):
        raise Refused("__str__")

    __repr__ = __str__


@pytest.fixture
def make(tmp_path):
    """Return a function that makes hostile values; in the end nobody has called a method of them."""
    log = tmp_path / "called"
    log.touch()
    yield lambda: Hostile(str(log))  # not the value itself, whose text pytest would ask for
    assert log.read_text().split() == []


def same(value):
    return value


@EXECUTORS
@pytest.mark.parametrize("tracer", [None, ConsoleTracer, NoopTracer], ids=["untraced", "console", "noop"])
def test_result(make, executor, tracer):
    """As the result of a task and of a run, alone and inside collections, for whatever tracer."""
    hostile = make()
    for value in (hostile, [hostile], {"a": hostile}, (1, [hostile])):
        with workflow("w", tracer=tracer and tracer()) as wf:
            first = task("first")(same)
            first(task_id="a", value=value) >> task("b")(same)
            result = wf.execute("a", executor=executor)
        assert type(result) is type(value)


@EXECUTORS
def test_everywhere(make, executor):
    """In the channel, bound, as a default, captured, as data of an iteration, in groups, maps and items."""
    hostile = make()
    with workflow("w") as wf:

        @task(inject_context=True)
        def channel(ctx, given, default=hostile):
            ctx.get_channel().set("value", [hostile])
            ctx.get_channel().append("values", hostile)
            assert type(ctx.get_channel().get("value")[0]) is Hostile
            return default

        @task(inject_context=True)
        def loop(ctx, data=None):
            if data is None:
                ctx.next_iteration(hostile)
            else:
                ctx.next_task(added(task_id="added", value=hostile))
            return data

        @task
        def added(value):
            return value

        @task
        def last(value, values):
            return [value, values]

        member = task("member")(same)
        members = [member(task_id=name, value=hostile) for name in ("m", "n")]
        each = task("item")(same).map([hostile, hostile], task_id="each")
        # A parameter that is open takes what the channel has.
        chain(channel(task_id="c", given=hostile), loop, parallel(*members), each, last)
        result, context = wf.execute("c", executor=executor, ret_context=True)
    assert type(result[0][0]) is Hostile
    assert type(context.get_result("m")) is Hostile
    assert [type(value) for value in context.get_result("each")] == [Hostile, Hostile]


@EXECUTORS
def test_retried(make, executor):
    """In attempts that fail and are repeated, and in what a parallel schedule commits."""
    hostile = make()
    for schedule in ("sequential", "parallel"):
        with workflow("w") as wf:

            @task(inject_context=True, max_retries=1)
            def twice(ctx, value):
                ctx.get_channel().set("kept", value)
                if ctx.retry_count == 0:
                    raise ValueError("again")
                return [value]

            twice(task_id="t", value=hostile) >> task("after")(lambda kept: kept)
            result = wf.execute("t", executor=executor, schedule=schedule)
        assert type(result) is Hostile


@EXECUTORS
def test_chain(make, executor):
    """Bound to each step of a chain, and passed from round to round of a loop."""
    hostile = make()
    with workflow("w") as wf:
        step = task("step")(same)

        @task(inject_context=True)
        def loop(ctx, data=None, count=hostile):
            if ctx.cycle_count < 5:
                ctx.next_iteration(hostile)
            return data

        chain(*[step(task_id=f"s{n}", value=hostile) for n in range(6)], loop)
        assert type(wf.execute("s0", executor=executor)) is Hostile


def test_saved(make, tmp_path):
    """In a context that is saved, and in a checkpoint."""
    hostile = make()
    with workflow("w") as wf:

        @task(inject_context=True)
        def first(ctx, value):
            ctx.get_channel().set("kept", value)
            ctx.checkpoint(path=str(tmp_path / "point"))
            return value

        first(task_id="f", value=hostile) >> task("second")(lambda kept: kept)
        _, context = wf.execute("f", ret_context=True)
    context.save(str(tmp_path / "saved"))
    assert type(ExecutionContext.load(str(tmp_path / "saved")).get_result("f")) is Hostile


@EXECUTORS
@pytest.mark.parametrize("policy", ["strict", "best_effort"])
@pytest.mark.parametrize("tracer", [None, ConsoleTracer, NoopTracer], ids=["untraced", "console", "noop"])
def test_exceptions_without_a_message(executor, policy, tracer, tmp_path):
    """What a body raises may have no message: the run says which task, and goes on where its policy says so."""

    def fail():
        raise HostileError

    def work(item):
        if item:
            raise HostileError
        return item

    for kind in ("alone", "group", "map"):
        told = tracer and tracer()
        with workflow(f"{kind}-{policy}", tracer=told) as wf:
            if kind == "alone":
                task("bad", max_retries=1)(fail)
            elif kind == "group":
                parallel(task("bad")(fail), task("good")(lambda: 1)).set_group_name("g").with_execution(policy=policy)
            else:
                task("bad")(work).map([0, 1], task_id="m").with_execution(policy=policy)
            if kind == "alone" or policy == "strict":
                with pytest.raises(GraflowRuntimeError, match="bad|m|g"):
                    wf.execute(executor=executor)
            else:
                wf.execute(executor=executor)
        if told is not None:
            text = str(told.export_runtime_graph("json"))
            assert "HostileError" in text or kind != "alone"


def test_asked_for_text_of_what_has_none(tmp_path):
    """Who asks a tracer for what it remembers is told that a result has no text."""
    (tmp_path / "called").touch()
    tracer = NoopTracer()
    with workflow("w", tracer=tracer) as wf:
        task("work")(same)(task_id="a", value=[Hostile(str(tmp_path / "called")), 1, 10**5000])
        wf.execute("a")
    trace, *_ = tracer.export_runtime_graph("json")["nodes"]
    text = trace["metadata"]["output"]
    assert text == "[<Hostile, whose text can't be made: Refused>, 1, <int, whose text can't be made: ValueError>]"


@EXECUTORS
def test_logged(executor, monkeypatch):
    """A record that can't be shown is the logger's matter, as it is without a workflow: the body goes on."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler()])  # pytest's own one raises
    with workflow("w") as wf:

        @task
        def say(n):
            logging.getLogger("said").warning("value %s", nameless)
            warnings.warn("as usual", stacklevel=1)
            return n

        nameless = HostileError()
        say.map([1, 2], task_id="m")
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            assert wf.execute(executor=executor) == [1, 2]


@EXECUTORS
def test_arrays(executor):
    """An array has no truth value and no single answer to ``==``."""
    np = pytest.importorskip("numpy")
    for array in (np.zeros(0), np.arange(3), np.zeros((2, 2))):
        with workflow("w") as wf:

            @task(inject_context=True)
            def first(ctx, value):
                ctx.get_channel().set("kept", value)
                with ctx.get_channel().lock("live"):
                    ctx.get_channel().set("live", value)
                return value

            @task(inject_context=True)
            def again(ctx, data=None):
                if data is None:
                    ctx.next_iteration(array)
                return data

            after = task("after")(same)
            parallel(first(task_id="f", value=array), again(task_id="n", data=array)) >> after(task_id="g", value=array)
            again(task_id="start") >> first(task_id="f2", value=array)
            assert wf.execute("start", executor=executor).shape == array.shape
            group = next(name for name in wf.graph.nodes if name.startswith("ParallelGroup"))
            assert wf.execute(group, executor=executor).shape == array.shape
