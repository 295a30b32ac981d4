"""Both packages, side by side: the same calls give the same answers. Skipped where graflow is not installed."""

import importlib
import inspect
import io
import re
import sys
from contextlib import redirect_stdout
from types import ModuleType, SimpleNamespace

import pytest

from .drawings import SHAPES, random_graph, shape

pytest.importorskip("graflow.core.task", reason="graflow 0.2.0 is not installed beside graflow_fast")

BOTH = ("graflow", "graflow_fast")


def both(action):
    """What `action(package importer)` gives for each package; exceptions become their type and text."""
    return [
        outcome(lambda package=package: action(lambda name: importlib.import_module(f"{package}.{name}")))
        for package in BOTH
    ]


def outcome(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__, str(error)


def same(action):
    theirs, ours = both(action)
    assert ours == theirs


@pytest.fixture
def drawing():
    """graflow's drawing module, which imports matplotlib even where it is not used."""
    for name in ("matplotlib", "matplotlib.pyplot"):
        sys.modules.setdefault(name, ModuleType(name))
    return importlib.import_module("graflow.utils.graph")


def graflow_group(tasks, name):
    """A group that graflow takes for one of its own, made without a workflow around it."""
    from graflow.core.task import ParallelGroup

    class Group(ParallelGroup):
        task_id = name

        def __init__(self):
            self.tasks = tasks

    return Group()


def in_boxes_sorted(text):
    """graflow lists what is in a box in the order of a set, so compare without order there."""
    return re.sub(
        r"(direction TB\n)(.*?)(\n    end)",
        lambda found: found[1] + "\n".join(sorted(found[2].split("\n"))) + found[3],
        text,
        flags=re.DOTALL,
    )


def compare_drawings(graph, drawing):
    from graflow_fast.utils import graph as ours

    assert ours.draw_ascii(graph) == drawing.draw_ascii(graph)
    for options in ({}, {"title": "T", "with_styles": False}, {"node_colors": {"a": "red"}}):
        text = in_boxes_sorted(ours.draw_mermaid(graph, **options))
        assert text == in_boxes_sorted(drawing.draw_mermaid(graph, **options))
    for name in ("visualize_dependencies", "show_graph_info"):
        printed = [io.StringIO(), io.StringIO()]
        for module, out in zip((drawing, ours), printed, strict=True):
            with redirect_stdout(out):
                getattr(module, name)(graph)
        assert printed[1].getvalue() == printed[0].getvalue()


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "group in group"])
def test_drawings_of_shapes(name, drawing):
    """Text and Mermaid are the same, letter by letter (but graflow loses the edges of groups in groups)."""
    compare_drawings(shape(name, make_group=graflow_group), drawing)


def test_drawings_of_random_graphs(drawing):
    """So they are for random graphs, but for those that graflow draws differently each time."""
    unsteady = 0
    for seed in range(150):
        graph = random_graph(seed, make_group=graflow_group)
        if len({drawing.draw_ascii(graph) for _ in range(5)}) > 1:
            unsteady += 1
        else:
            compare_drawings(graph, drawing)
    assert unsteady < 15


def test_errors():
    """Classes, constructors, texts and ancestry of graflow's errors."""

    def action(get):
        errors = get("exceptions")
        cause = ValueError("inner")
        made = [
            errors.GraflowError("m", cause),
            errors.GraflowRuntimeError("m"),
            errors.CycleLimitExceededError(task_id="t", cycle_count=1, max_cycles=2),
            errors.RetryLimitExceededError(task_id="t", retry_count=1, max_retries=2, last_error=cause),
            errors.TaskError("t", "m", cause),
            errors.GraphCompilationError("m"),
            errors.DuplicateTaskError("t"),
            errors.ConfigError("m", cause),
            errors.ParallelGroupError("m", "g", [("a", None)], ["b"]),
            errors.as_runtime_error(cause),
        ]
        return [(str(e), [c.__name__ for c in type(e).__mro__], e.args, repr(e.cause)) for e in made]

    same(action)


def test_retries_and_cycles():
    """Counters, limits and delays."""

    def action(get):
        retry, cycle = get("core.retry"), get("core.cycle")
        policy = retry.RetryPolicy(max_retries=2, initial_interval=0.5, max_interval=1.5)
        retries, cycles = retry.RetryController(1), cycle.CycleController(2)
        retries.set_node_policy("a", policy)
        seen = [repr(policy), [policy.get_delay(n) for n in range(5)]]
        for _ in range(4):
            for node in "ab":
                seen += [retries.accept_retry(node), retries.get_delay(node), retries.increment(node, KeyError("x"))]
                seen += [cycles.accept_next_cycle(node), cycles.increment(node)]
                seen += [outcome(lambda node=node: retries.check_retry_limit(node))]
                seen += [outcome(lambda node=node: cycles.check_cycle_limit(node))]
        return seen

    same(action)


def test_group_policies():
    """What each policy accepts and says, for all outcomes of three members."""

    def action(get):
        policies, handler = get("core.handlers.group_policy"), get("core.handler")
        specs = ["strict", "best_effort", {"type": "critical", "critical_task_ids": ["a"]}]
        specs += [{"type": "at_least_n", "min_success": n} for n in (0, 2, 4)]
        specs += [{"type": "critical", "critical_task_ids": ["z"]}, {"type": "?"}, {}, 3, "?", {"type": "at_least_n"}]
        seen = []
        for spec in specs:
            policy = outcome(lambda spec=spec: policies.resolve_group_policy(spec))
            if isinstance(policy, tuple):
                seen.append(policy)
                continue
            seen += [policy.get_name(), policies.canonicalize_group_policy(policy)]
            for number in range(8):
                tasks = [SimpleNamespace(task_id=name) for name in "abc"]
                results = {
                    name: handler.TaskResult(name, success=bool(number >> bit & 1), error_message=f"no {name}")
                    for bit, name in enumerate("abc")
                }

                def judge(policy=policy, tasks=tasks, results=results):
                    try:
                        policy.on_group_finished("g", tasks, results, None)
                    except Exception as error:
                        return str(error), getattr(error, "failed_tasks", 0), getattr(error, "successful_tasks", 0)

                seen.append(judge())
        return seen

    same(action)


def test_channels():
    """A random program of channel operations."""
    import random

    def action(get):
        choose = random.Random(7)
        channel = get("channels.factory").ChannelFactory.create_channel("memory", "c")
        seen = []
        for step in range(3000):
            key = choose.choice("abcd")
            operation = choose.choice(["set", "get", "delete", "exists", "keys", "append", "prepend", "atomic_add"])
            arguments = [] if operation == "keys" else [key]
            if operation in ("set", "append", "prepend"):
                arguments += [choose.choice([step, [step], "text", None])]
            seen.append(outcome(lambda o=operation, a=arguments: getattr(channel, o)(*a)))
            if isinstance(seen[-1], list):
                seen[-1] = list(seen[-1])
        with channel.lock("a", timeout=1):
            channel.clear()
        return [*seen, channel.name, channel.keys()]

    same(action)


def test_typed_channels():
    """Which messages fit, and what is said of those that don't."""

    def action(get):
        get("channels.schemas")
        channel = get("channels.memory_channel").MemoryChannel("c")
        typed = get("channels.typed").ChannelTypeRegistry.create_channel(channel, "task_progress")
        good = {"task_id": "t", "progress": 0.5, "message": "", "timestamp": 1.0}
        seen = []
        for message in (good, {}, {**good, "x": 1}, {**good, "task_id": 1}, {**good, "progress": 1}, 5, None):
            seen.append(outcome(lambda m=message: typed.send("k", m)))
            seen.append(outcome(lambda m=message: typed.set("k", m)))
            channel.set("raw", message)
            seen += [typed.get("k"), typed.receive("raw"), typed.get("missing", message)]
        return seen

    same(action)


def test_console_output():
    """What is printed of the same events, but for the times."""

    def action(get):
        trace = get("trace")
        out = io.StringIO()
        context = SimpleNamespace(trace_id="t", start_node="a", max_steps=1, session_id="s", steps=1)
        task = SimpleNamespace(task_id="a", handler_type="direct")
        with redirect_stdout(out):
            for colors in (True, False):
                tracer = trace.ConsoleTracer(enable_colors=colors)
                tracer.on_workflow_start("flow", context)
                tracer.on_task_start(task, context)
                tracer.on_parallel_group_start("g", ["x"], context)
                tracer.clone("t").span_start("x", "a", {"type": "y"})
                tracer.on_parallel_group_end("g", ["x"], context, {"x": 1})
                tracer.on_dynamic_task_added("d", "a", metadata={"task_type": "T"})
                tracer.on_task_end(task, context, error=ValueError("no"))
                tracer.event("e", metadata={"type": "z"})
                tracer.attach_to_trace("0123456789abcdefXYZ", "p")
                tracer.on_workflow_end("flow", context)
        return [re.sub(r"\d\d:\d\d:\d\d\.\d+|\d+ms", "T", out.getvalue()), tracer.get_execution_order()]

    same(action)


def test_runtime_graphs():
    """What is remembered of the same events, but for the times."""

    def action(get):
        context = SimpleNamespace(trace_id="t", start_node="a", max_steps=1, session_id="s", steps=1)
        tracer = get("trace").NoopTracer()
        tracer.on_workflow_start("flow", context)
        for name, parent, error in (("a", "flow", None), ("b", "a", ValueError("x")), ("a", None, None)):
            task = SimpleNamespace(task_id=name, handler_type="direct")
            tracer.on_task_start(task, SimpleNamespace(current_task_id=parent))
            tracer.on_task_end(task, context, result=name and 0, error=error)
        tracer.on_parallel_group_start("a", ["b", "c"], context)
        tracer.on_workflow_end("flow", context, result=[1])
        content = tracer.export_runtime_graph("json")
        for node in content["nodes"]:
            assert node.pop("start_time") <= node.pop("end_time")
        graph = tracer.get_runtime_graph()
        return [content, list(graph.edges(data=True)), [graph.nodes[name]["metadata"] for name in graph]]

    same(action)


def parameters_of(function):
    return [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    "module",
    [
        "exceptions",
        "core.retry",
        "core.cycle",
        "core.handler",
        "core.handlers.group_policy",
        "coordination.coordinator",
        "channels.base",
        "channels.memory_channel",
        "channels.typed",
        "channels.schemas",
        "channels.factory",
        "trace",
        "utils.graph",
    ],
)
def test_public_names_and_signatures(module, drawing):
    """Every public class, function and method is there, with graflow's parameters first and in its order."""
    theirs, ours = importlib.import_module(f"graflow.{module}"), importlib.import_module(f"graflow_fast.{module}")
    internal = {"VertexViewer", "AsciiCanvas", "LangFuseTracer"}
    missing, different = [], []

    def compare(name, their, our):
        wanted, given = parameters_of(their), parameters_of(our)
        if given[: len(wanted)] != wanted and name != "draw_mermaid_png":
            different.append((name, wanted, given))

    for name, value in vars(theirs).items():
        mine = getattr(value, "__module__", "").startswith(f"graflow.{module}")
        if name.startswith("_") or not mine or name in internal or not (inspect.isclass(value) or callable(value)):
            continue
        if not hasattr(ours, name):
            missing.append(name)
        elif inspect.isclass(value):
            if not issubclass(value, (dict, BaseException)) and "Message" not in name:
                compare(name, value, getattr(ours, name))
            for method, function in inspect.getmembers(value, callable):
                if method.startswith("_") and not method.startswith("_output_"):
                    continue
                if not hasattr(getattr(ours, name), method):
                    missing.append(f"{name}.{method}")
                elif inspect.isfunction(function):
                    compare(f"{name}.{method}", function, getattr(getattr(ours, name), method))
        else:
            compare(name, value, getattr(ours, name))
    assert missing == []
    assert different == []
