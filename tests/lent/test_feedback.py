"""Asking people from bodies: answers in time, too late, in groups and maps, on every executor."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from graflow_fast.hitl.backend.base import FeedbackBackend
from graflow_fast.hitl.handler import FeedbackHandler
from graflow_fast.hitl.manager import FeedbackManager
from graflow_fast.hitl.types import FeedbackRequest, FeedbackResponse, FeedbackTimeoutError

from graflow_fast import parallel, task, workflow
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.engine import WorkflowEngine

pytestmark = pytest.mark.usefixtures("folder")


def manager() -> FeedbackManager:
    """What another process would have: the usual folder is all that it shares with the run."""
    return FeedbackManager(backend="filesystem", backend_config={"data_dir": "feedback_data"})


def answer(request: FeedbackRequest) -> FeedbackResponse:
    return FeedbackResponse(
        feedback_id=request.feedback_id,
        response_type=request.feedback_type,
        approved=True,
        text=f"about {request.prompt}",
        selected=request.options and request.options[-1],
    )


class Secretary(FeedbackHandler):
    """Answers each request when it is made."""

    def on_request_created(self, request: FeedbackRequest) -> None:
        manager().provide_feedback(request.feedback_id, answer(request))


class Desk(FeedbackBackend):
    """Requests in the memory of the program, answered when they come; it can't be sent to a worker."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.requests: dict[str, FeedbackRequest] = {}

    def store_request(self, request: FeedbackRequest) -> None:
        with self.guard:
            self.requests[request.feedback_id] = request

    def get_request(self, feedback_id: str) -> FeedbackRequest | None:
        return self.requests.get(feedback_id)

    def store_response(self, response: FeedbackResponse) -> None:
        raise NotImplementedError

    def get_response(self, feedback_id: str) -> FeedbackResponse | None:
        request = self.requests.get(feedback_id)
        return None if request is None else answer(request)

    def list_pending_requests(self, session_id: str | None = None) -> list[FeedbackRequest]:
        return list(self.requests.values())

    def list_requests(self, session_id: str | None = None, n_recent: int = 100) -> list[FeedbackRequest]:
        return list(self.requests.values())


def test_each_kind_of_request(executor: str) -> None:
    with workflow("w", executor=executor) as wf:

        @task(inject_context=True)
        def ask(ctx):
            whole = ctx.request_feedback("approval", "all?", handler=Secretary())
            return (
                whole.approved,
                ctx.request_feedback("text", "why?", handler=Secretary()).text,
                ctx.request_feedback("selection", "which?", options=["a", "b"], handler=Secretary()).selected,
            )

    assert wf.execute() == (True, "about why?", "b")


def test_the_requests_of_workers_are_the_program_s(executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backend keeps them, and its answers arrive."""
    desk = Desk()
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", executor)
    with workflow("w") as wf:

        @task(inject_context=True)
        def ask(ctx, n=0):
            return (
                ctx.request_approval(f"{n}?"),
                ctx.request_text_input(f"{n}!"),
                ctx.request_selection("one", ["x", "y"]),
            )

        members = parallel(*(ask(task_id=f"ask_{n}", n=n) for n in range(3)))
        members >> ask.map([7], task_id="m")
    run = ExecutionContext.create(wf.graph, members.task_id)
    run.feedback_manager = FeedbackManager(backend=desk)
    assert WorkflowEngine().execute(run) == [(True, "about 7!", "y")]
    assert [run.get_result(f"ask_{n}") for n in range(3)] == [(True, f"about {n}!", "y") for n in range(3)]
    assert {request.task_id for request in desk.requests.values()} == {"ask_0", "ask_1", "ask_2", "m[0]"}
    assert {request.status for request in desk.requests.values()} == {"completed"}
    assert len(desk.requests) == 12


def test_an_answer_is_written_to_the_channel(executor: str) -> None:
    with workflow("w", executor=executor) as wf:

        @task(inject_context=True)
        def ask(ctx, key):
            ctx.request_feedback("text", key, channel_key=key, write_to_channel=True, handler=Secretary())
            return ctx.get_channel().get(key)

        parallel(ask(task_id="one", key="k1"), ask(task_id="two", key="k2"))
    _, context = wf.execute(ret_context=True)
    assert [context.get_result(name) for name in ("one", "two")] == ["about k1", "about k2"]
    assert context.channel.get("k2") == "about k2"
    assert context.channel.get("k1.__feedback_response__")["text"] == "about k1"


def build(shape: str, executor: str) -> Any:
    with workflow("w", executor=executor) as wf:

        @task(inject_context=True)
        def ask(ctx, n=0):
            return ctx.request_approval(f"deploy {n}?", timeout=0), ctx.request_text_input(f"why {n}?", timeout=0)

        @task(inject_context=True)
        def after(ctx):
            found = [ctx.get_result(name) for name in ("ask", "ask_0", "ask_1", "m")]
            return [each for each in found if each is not None]

        asking = {
            "chain": lambda: ask,
            "group": lambda: parallel(*(ask(task_id=f"ask_{n}", n=n) for n in range(2))),
            "map": lambda: ask.map(range(2), task_id="m"),
        }[shape]()
        task("before")(lambda: print("before")) >> asking >> after
    return wf


EXPECTED = {
    "chain": [(True, "about why 0?")],
    "group": [(True, "about why 0?"), (True, "about why 1?")],
    "map": [[(True, "about why 0?"), (True, "about why 1?")]],
}


def answer_all() -> int:
    """Answer what waits, as somebody would while no run is under way; return how much there was."""
    waiting = [request for request in manager().list_requests() if request.status in ("timeout", "pending")]
    for request in waiting:
        assert manager().provide_feedback(request.feedback_id, answer(request))
    return len(waiting)


@pytest.mark.parametrize("shape", list(EXPECTED))
def test_a_run_that_nobody_answers_ends_and_goes_on_from_its_checkpoint(
    shape: str, executor: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked twice: each answer is found by the body that runs again."""
    result, context = build(shape, executor).execute(ret_context=True)
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", executor)
    assert (result, context.stop_reason, context.completed_tasks) == (None, "feedback_timeout", ["before"])
    for _ in range(5):
        assert answer_all()
        assert context.checkpoint_metadata["user_metadata"]["reason"] == "feedback_timeout"
        context, _ = CheckpointManager.resume_from_checkpoint(context.last_checkpoint_path)
        result = WorkflowEngine().execute(context)
        if context.stop_reason == "completed":
            break
        assert result is None
    assert result == EXPECTED[shape]
    prompts = [request.prompt for request in manager().list_requests()]
    assert sorted(prompts) == sorted(set(prompts))
    assert capfd.readouterr().out == "before\n"


def test_a_durable_run_goes_on_by_its_journal(executor: str) -> None:
    wf = build("chain", executor)
    result = wf.execute(durable="runs.db", run="deploy")
    for _ in range(2):
        assert result is None
        answer_all()
        result = wf.resume("runs.db", run="deploy")
    assert result == EXPECTED["chain"]


def test_the_request_says_where_the_checkpoint_is(executor: str) -> None:
    _, context = build("chain", executor).execute(ret_context=True)
    (request,) = manager().list_requests()
    assert request.status == "timeout"
    assert request.metadata["checkpoint_path"] == context.last_checkpoint_path
    assert request.metadata["checkpoint_reason"] == "feedback_timeout"
    assert context.explain("ask") == (
        "Task 'ask' ran, and failed with FeedbackTimeoutError: "
        f"Feedback request {request.feedback_id} timed out after 0 seconds."
    )


def test_a_body_may_go_on_without_an_answer(executor: str) -> None:
    with workflow("w", executor=executor) as wf:

        @task(inject_context=True)
        def ask(ctx):
            try:
                return ctx.request_approval("may I?", timeout=0)
            except FeedbackTimeoutError:
                return "nobody is there"

    assert wf.execute() == "nobody is there"


def test_a_repetition_asks_anew_and_a_loop_too(executor: str) -> None:
    with workflow("w", executor=executor) as wf:

        @task(inject_context=True, max_retries=1)
        def ask(ctx):
            ctx.request_feedback("approval", "?", handler=Secretary())
            if ctx.retry_count == 0:
                raise ValueError("after the answer")
            if ctx.cycle_count < 3:
                ctx.next_iteration()

    wf.execute()
    assert len(manager().list_requests()) == 4 + 2
