"""What graflow's users do with contexts outside of a run: tests of their own tasks, queues, checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graflow_fast import task, workflow
from graflow_fast.coordination.executor import CoordinationBackend
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.engine import WorkflowEngine
from graflow_fast.queue.base import TaskSpec, TaskStatus
from graflow_fast.queue.local import LocalTaskQueue


@pytest.fixture
def chain():
    """The tasks a >> b >> c, and a context that starts at a."""
    with workflow("letters") as wf:
        a, b, c = (task(name)(lambda name=name: name) for name in "abc")
        a >> b >> c
    return a, b, c, ExecutionContext.create(wf.graph, "a")


def test_a_body_by_hand(chain):
    """``executing_task`` makes the task the current one, counts it, and keeps what it asked for."""
    a, b, _, context = chain
    with context.executing_task(a) as task_context:
        assert context.current_task_context is task_context
        assert (context.current_task_id, task_context.cycle_count) == ("a", 1)
        task_context.next_task(b, goto=True)
        assert context.goto_called
    assert context.current_task_id is None
    assert context.queue.to_list() == ["a", "b"]
    context.reset_goto_flag()
    assert not context.goto_called


def test_task_contexts_are_a_stack(chain):
    *_, context = chain
    outer, inner = context.create_task_context("a"), context.create_task_context("b")
    context.push_task_context(outer)
    context.push_task_context(inner)
    assert context.current_task_id == "b"
    assert context.pop_task_context() is inner
    assert context.current_task_id == "a"
    assert context.pop_task_context() is outer
    assert context.pop_task_context() is None


def test_what_waits(chain):
    """``context.queue`` has the waiting tasks as objects."""
    a, b, _, context = chain
    assert isinstance(context.queue, LocalTaskQueue)
    (waiting,) = context.queue.get_pending_task_specs()
    assert (waiting.task_id, waiting.get_task(), waiting.status) == ("a", a, TaskStatus.READY)
    context.queue.enqueue(TaskSpec(b, context))
    assert (context.queue.to_list(), context.queue.size(), context.queue.peek_next_node()) == (["a", "b"], 2, "a")
    assert context.queue.dequeue().status is TaskStatus.RUNNING
    assert context.get_next_task() == "b"
    assert context.queue.is_empty()


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_a_checkpoint_that_was_asked_for_before_the_run(chain, tmp_path: Path, executor: str, monkeypatch):
    """It is written after the first task, wherever that runs."""
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", executor)
    *_, context = chain
    path = str(tmp_path / "first")
    context.request_checkpoint({"why": "before"}, path=path)
    assert (context.checkpoint_requested, context.checkpoint_request_path) == (True, path)
    assert WorkflowEngine().execute(context) == "c"
    assert not context.checkpoint_requested
    restored, metadata = CheckpointManager.resume_from_checkpoint(path)
    assert (restored.completed_tasks, metadata.user_metadata) == (["a"], {"why": "before"})


def test_it_can_be_taken_back(chain, tmp_path: Path):
    *_, context = chain
    context.request_checkpoint(path=str(tmp_path / "first"))
    context.clear_checkpoint_request()
    WorkflowEngine().execute(context)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "order"), [(None, ["a", "b", "c"]), ("b", ["a", "b", "c"]), ("c", ["a", "c", "b"])], ids=str
)
def test_a_restored_context_starts_where_it_is_told(chain, tmp_path: Path, start, order):
    """What was unfinished comes after it; a task that was unfinished itself does not begin twice."""
    *_, context = chain
    context.request_checkpoint(path=str(tmp_path / "first"))
    WorkflowEngine().execute(context)
    restored, _ = CheckpointManager.resume_from_checkpoint(str(tmp_path / "first"))
    WorkflowEngine().execute(restored, start)
    assert restored.completed_tasks == order


def test_a_damaged_state_file(chain, tmp_path: Path):
    *_, context = chain
    CheckpointManager.create_checkpoint(context, path=str(tmp_path / "first"))
    (tmp_path / "first.state.json").write_text("{no")
    with pytest.raises(json.JSONDecodeError):
        CheckpointManager.resume_from_checkpoint(str(tmp_path / "first"))


def test_names_that_stand_in_two_places():
    from graflow_fast.coordination.coordinator import CoordinationBackend as same

    assert CoordinationBackend is same


def test_the_neighbours_of_a_group():
    with workflow("diamond") as wf:
        a, b, c, d = (task(name)(lambda: 1) for name in "abcd")
        group = b | c
        a >> group >> d
    assert wf.graph.predecessors(group.task_id) == ["a"]
    assert wf.graph.successors(group.task_id) == ["d"]


def test_what_a_context_is_asked_for_by_hand_is_there_at_once(chain):
    """Without a run nobody would carry it out later."""
    _, b, _, context = chain
    context.push_task_context(context.create_task_context("a"))
    made = task("made")(lambda: 1)
    assert context.next_task(made) == "made"
    again = context.next_iteration({"n": 1})
    assert again.startswith("a_cycle_0_")
    assert context.queue.to_list() == ["a", "made", again]
    assert {"made", again} <= set(context.graph.nodes)
    context.next_task(b, goto=True)
    assert context.goto_called
    assert context.queue.to_list() == ["a", "made", again, "b"]


def test_a_loop_by_hand():
    """Each iteration waits as a task of its own, with its data; a queue counts what comes if it is told to."""
    with workflow("loop") as wf:

        @task(inject_context=True)
        def count(ctx, n=0):
            ctx.get_channel().append("seen", (n, ctx.cycle_count))
            if n < 2:
                ctx.next_iteration(n + 1)

    context = ExecutionContext.create(wf.graph, "count")
    context.queue.configure(enable_metrics=True)
    while (name := context.get_next_task()) is not None:
        found = context.graph.get_node(name)
        with context.executing_task(found):
            found.run()
    assert context.channel.get("seen") == [(0, 1), (1, 2), (2, 3)]
    assert context.queue.get_metrics()["enqueued"] == 2
