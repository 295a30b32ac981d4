"""Tracers: hooks, what is remembered, what is printed, and true times."""

import json
import pickle
import re
import subprocess
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from graflow_fast.trace import ConsoleTracer, NoopTracer, Tracer

NOON = datetime(2024, 1, 1, 12, 0, 0)


class Task:
    """All that tracers want to know of a task."""

    def __init__(self, task_id):
        self.task_id = task_id
        self.handler_type = "direct"


def a_context(**values):
    return SimpleNamespace(
        **{"trace_id": "t" * 32, "start_node": "a", "max_steps": 9, "session_id": "s", "steps": 2, **values}
    )


def play(tracer):
    """A run of two tasks, the second of which fails."""
    context = a_context()
    tracer.on_workflow_start("flow", context)
    tracer.on_task_queued(Task("a"), context)
    tracer.on_task_start(Task("a"), context)
    tracer.on_task_end(Task("a"), context, result=5)
    tracer.on_task_start(Task("b"), a_context(current_task_id="a"))
    tracer.on_parallel_group_start("b", ["a", "unknown"], context)
    tracer.on_task_end(Task("b"), context, error=ValueError("no"))
    tracer.on_parallel_group_end("b", ["a", "unknown"], context, {"a": 1})
    tracer.on_dynamic_task_added("c", "b", is_iteration=True, metadata={"type": "x"})
    tracer.on_workflow_end("flow", context, result="done")
    tracer.flush()
    tracer.shutdown()


def test_a_run_is_remembered():
    """Order, states, times, metadata and edges of a run are in the runtime graph."""
    tracer = NoopTracer()
    play(tracer)
    assert tracer.get_execution_order() == ["flow", "a", "b"]
    graph = tracer.get_runtime_graph()
    assert list(graph.nodes) == ["flow", "a", "b"]
    assert [graph.nodes[name]["status"] for name in graph] == ["completed", "completed", "failed"]
    assert all(node["start_time"] <= node["end_time"] for _, node in graph.nodes(data=True))
    assert graph.nodes["flow"]["metadata"] == {
        "type": "trace",
        "trace_id": "t" * 32,
        "start_node": "a",
        "max_steps": 9,
        "session_id": "s",
        "output": "done",
        "steps": 2,
    }
    assert graph.nodes["a"]["metadata"] == {
        "type": "span",
        "task_type": "Task",
        "handler_type": "direct",
        "output": "5",
    }
    assert graph.nodes["b"]["metadata"]["error"] == "no"
    assert graph.nodes["b"]["metadata"]["error_type"] == "ValueError"
    assert list(graph.edges(data=True)) == [
        ("a", "b", {"relation": "parent-child"}),
        ("b", "a", {"relation": "parallel-member"}),
    ]


def test_a_task_that_runs_twice_is_one_node():
    """The order has it twice, the graph once, with its last state."""
    tracer = NoopTracer()
    for error in (None, ValueError("x")):
        tracer.on_task_start(Task("a"), a_context())
        tracer.on_task_end(Task("a"), a_context(), error=error)
    assert tracer.get_execution_order() == ["a", "a"]
    assert tracer.get_runtime_graph().nodes["a"]["status"] == "failed"
    tracer.on_task_end(Task("never started"), a_context())
    assert list(tracer.get_runtime_graph()) == ["a"]


def test_results_without_truth_value_are_no_problem():
    """A result such as an array, for which ``bool`` raises, is remembered like any other."""

    class Array:
        def __bool__(self):
            raise ValueError("ambiguous")

        def __str__(self):
            return "[1 2]"

    tracer = NoopTracer()
    tracer.span_start("a")
    tracer.span_end("a", output=Array())
    assert tracer.get_runtime_graph().nodes["a"]["metadata"]["output"] == "[1 2]"


def test_exports():
    """Plain data, JSON and GraphML hold the same; unknown formats are refused."""
    tracer = NoopTracer()
    play(tracer)
    content = tracer.export_runtime_graph()
    assert [node["id"] for node in content["nodes"]] == ["flow", "a", "b"]
    assert isinstance(content["nodes"][0]["start_time"], datetime)
    assert content["edges"][0] == {"source": "a", "target": "b", "relation": "parent-child"}
    assert content["execution_order"] == ["flow", "a", "b"]
    as_json = tracer.export_runtime_graph("json")
    assert json.loads(json.dumps(as_json)) == as_json
    assert as_json["nodes"][1]["start_time"] == content["nodes"][1]["start_time"].isoformat()
    import networkx

    again = networkx.parse_graphml(tracer.export_runtime_graph("graphml")["graphml"])
    assert again.nodes["b"]["status"] == "failed"
    assert json.loads(again.nodes["b"]["metadata"])["error"] == "no"
    with pytest.raises(ValueError, match="Unsupported export format: xml"):
        tracer.export_runtime_graph("xml")


def test_nothing_is_remembered_when_told_not_to():
    """Without a runtime graph there is no graph, no export and no order."""
    tracer = NoopTracer(enable_runtime_graph=False)
    play(tracer)
    tracer.record_task("a")
    assert tracer.get_runtime_graph() is None
    assert tracer.export_runtime_graph() is None
    assert tracer.get_execution_order() == []


def test_what_is_returned_is_a_copy():
    """Changing what a tracer returned doesn't change what it remembers."""
    tracer = NoopTracer()
    tracer.span_start("a")
    tracer.get_execution_order().append("x")
    tracer.export_runtime_graph()["nodes"][0]["metadata"]["x"] = 1
    tracer.get_runtime_graph().remove_node("a")
    assert tracer.get_execution_order() == ["a"]
    assert tracer.get_runtime_graph().nodes["a"]["metadata"] == {"type": "span"}


def test_silent_only_if_nothing_is_overridden():
    """The engine may skip the hooks of the default tracer, and of no tracer that might listen."""

    class Plain(NoopTracer):
        note = "nothing overridden"

    class Listening(NoopTracer):
        def on_task_start(self, task, context):
            pass

    class Printing(NoopTracer):
        def _output_span_start(self, name, parent_name, metadata):
            pass

    patched = NoopTracer()
    patched.on_task_end = print
    assert [NoopTracer.silent, NoopTracer().silent, Plain().silent] == [True, True, True]
    assert [Tracer.silent, ConsoleTracer().silent, Listening().silent, Printing().silent, patched.silent] == [False] * 5
    assert NoopTracer().silent


def test_recorded_tasks_are_in_the_graph():
    """``record_task`` leaves the same order and graph as the hooks, with the times it was given."""
    tracer = NoopTracer()
    tracer.on_workflow_start("flow", a_context())
    tracer.record_task("a", started=NOON.timestamp(), ended=NOON.timestamp() + 1.5)
    tracer.record_task("b", error=ValueError("no"))
    tracer.on_workflow_end("flow", a_context())
    assert tracer.get_execution_order() == ["flow", "a", "b"]
    graph = tracer.get_runtime_graph()
    assert graph.nodes["a"] == {
        "status": "completed",
        "start_time": NOON,
        "end_time": NOON + timedelta(seconds=1.5),
        "metadata": {"type": "span", "task_type": "TaskWrapper", "handler_type": "direct", "output": None},
    }
    assert graph.nodes["b"]["status"] == "failed"
    assert graph.nodes["b"]["start_time"] is None
    assert tracer.export_runtime_graph("json")["nodes"][1]["end_time"] == "2024-01-01T12:00:01.500000"
    assert "graphml" in tracer.export_runtime_graph("graphml")


def test_times_can_be_handed_in(capsys):
    """Spans of bodies that ran elsewhere have the times of the body, in the graph and on the console."""
    tracer = ConsoleTracer(enable_colors=False)
    tracer.span_start("a", start_time=NOON)
    tracer.span_end("a", end_time=NOON + timedelta(seconds=2.5))
    with tracer.at(NOON):
        tracer.on_task_start(Task("b"), a_context())
    with tracer.at(NOON + timedelta(milliseconds=7)):
        tracer.on_task_end(Task("b"), a_context())
    node = tracer.get_runtime_graph().nodes["a"]
    assert (node["start_time"], node["end_time"]) == (NOON, NOON + timedelta(seconds=2.5))
    printed = capsys.readouterr().out
    assert "→ [12:00:00.000] SPAN START: a" in printed
    assert "✓ [12:00:02.500] SPAN END: a (2.50s)" in printed
    assert "✓ [12:00:00.007] SPAN END: b (7ms)" in printed
    assert tracer._now() > NOON


CONSOLE = """\
→ [T] TRACE START: flow (trace_id: tttttttttttttttttttttttttttttttt)
  → [T] SPAN START: a (task_type: Task, handler_type: direct)
  ✓ [T] SPAN END: a (0ms)
  → [T] SPAN START: b (task_type: Task, handler_type: direct)
    ⚡ [T] EVENT: parallel_group_start: b
  ✗ [T] SPAN END: b - ERROR: no (0ms)
  ⚡ [T] EVENT: parallel_group_end: b
  ⚡ [T] + ITERATION TASK: c (parent: b)
     (type: x) [T]
✓ [T] TRACE END: flow (0ms)
"""


def test_console(capsys):
    """The console shows nesting, ids, failures and durations."""
    tracer = ConsoleTracer(enable_colors=False)
    with tracer.at(NOON):
        play(tracer)
    printed = re.sub(r"\[[\d:.]+\]", "[T]", capsys.readouterr().out)
    assert [line.rstrip() for line in printed.splitlines()] == CONSOLE.splitlines()


def test_console_colors_and_metadata_are_optional(capsys):
    """Colours are on by default; metadata can be left out."""
    ConsoleTracer().span_start("a")
    assert "\033[94mSPAN START: a" in capsys.readouterr().out
    play(ConsoleTracer(enable_colors=False, show_metadata=False, indent_size=0))
    printed = capsys.readouterr().out
    assert "\033" not in printed
    assert "trace_id" not in printed
    assert not any(line.startswith(" ") for line in printed.splitlines())


def test_clones_are_for_branches(capsys):
    """A clone has the same settings, is indented below what is open, and remembers nothing."""
    tracer = ConsoleTracer(enable_colors=False, show_metadata=False, indent_size=4)
    tracer.trace_start("flow", trace_id="1" * 32)
    clone = tracer.clone("1" * 32)
    clone.span_start("a")
    assert re.search(r"^    → \[[\d:.]+\] SPAN START: a$", capsys.readouterr().out, re.MULTILINE)
    assert clone.get_runtime_graph() is None
    assert NoopTracer().clone("x").get_execution_order() == []
    clone.attach_to_trace("abc" * 10, None)
    assert "ATTACHED TO TRACE: abcabcabcabcabca... (parent: none)" in capsys.readouterr().out
    assert clone.get_current_span_id() is None


def test_a_tracer_of_ones_own_sees_everything():
    """A subclass needs only the output methods, and gets names and metadata."""
    seen = []

    class Mine(Tracer):
        def clone(self, trace_id):
            return Mine(enable_runtime_graph=False)

        def _note(self, *what):
            seen.append(what[0])

        _output_trace_start = _output_trace_end = _output_span_start = _output_span_end = _note
        _output_event = _output_attach_to_trace = _note

    tracer = Mine()
    play(tracer)
    tracer.event("e")
    tracer.attach_to_trace("id")
    assert seen == ["flow", "a", "a", "b", "b", "flow", "e", "id"]
    with pytest.raises(TypeError):
        Tracer()


def test_tracers_pickle():
    """A tracer travels with what it remembers."""
    tracer = NoopTracer()
    play(tracer)
    again = pickle.loads(pickle.dumps(tracer))
    assert again.get_execution_order() == ["flow", "a", "b"]
    assert again.silent


def test_networkx_is_needed_only_for_graphs(monkeypatch):
    """Importing, tracing and exporting plain data work without networkx; the graph says what to install."""
    code = "import sys, graflow_fast.trace, graflow_fast.utils.graph; print('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    tracer = NoopTracer()
    play(tracer)
    monkeypatch.setitem(sys.modules, "networkx", None)
    assert tracer.export_runtime_graph("json")["execution_order"] == ["flow", "a", "b"]
    with pytest.raises(ImportError, match=re.escape("pip install 'graflow-fast[graph]'")):
        tracer.get_runtime_graph()


class Counted:
    """A value that counts how often it is asked for its text."""

    asked = 0

    def __repr__(self):
        Counted.asked += 1
        return "x" * 1000


def test_a_text_is_made_when_it_is_asked_for_and_no_longer_than_is_read():
    """Of a large result the text breaks off, and what comes behind is not asked for its own."""
    tracer = NoopTracer()
    tracer.trace_start("flow")
    tracer.trace_end("flow", output=[[Counted()] for _ in range(5000)])
    assert Counted.asked == 0
    text = tracer.export_runtime_graph()["nodes"][0]["metadata"]["output"]
    assert text.endswith(", ... (5000 items)]")
    assert Counted.asked <= 100
    assert tracer.export_runtime_graph()["nodes"][0]["metadata"]["output"] == text


@pytest.mark.parametrize(
    "value", [[1, "a"], (1,), (), (1, 2), {1}, frozenset({1}), set(), {"a": [1, {2: ()}]}, "text", 1.5, True, b"x"]
)
def test_the_text_of_plain_values_is_that_of_str(value):
    """Short texts are what ``str()`` gives; empty values have none."""
    tracer = NoopTracer()
    tracer.trace_start("flow")
    tracer.trace_end("flow", output=value)
    assert tracer.export_runtime_graph()["nodes"][0]["metadata"]["output"] == (str(value) if value else None)


def test_the_text_of_a_list_in_itself_ends():
    """A collection that contains itself is shown once."""
    value = [1]
    value.append(value)
    tracer = NoopTracer()
    tracer.trace_start("flow")
    tracer.trace_end("flow", output=value)
    assert tracer.export_runtime_graph()["nodes"][0]["metadata"]["output"] == "[1, [...]]"
