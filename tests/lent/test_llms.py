"""LLM clients, agents and prompts of an installed graflow, in bodies on every executor."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from graflow_fast.prompts.base import PromptManager
from graflow_fast.prompts.yaml_manager import YAMLPromptManager

from graflow_fast import parallel, task, workflow
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.engine import WorkflowEngine
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, TaskSerializationError
from graflow_fast.llm import LLMAgent, LLMClient


class Offline(LLMClient):
    """A client that asks nobody."""

    def completion_text(self, messages: Any, **_: Any) -> str:
        return f"{self.model} on {messages[0]['content']}"


class Writer(LLMAgent):
    """An agent that answers at once."""

    def __init__(self, name: str, tool: Any = None) -> None:
        self._name = name
        self.tool = tool

    @property
    def name(self) -> str:
        return self._name

    @property
    def tools(self) -> list[Any]:
        return []

    @property
    def metadata(self) -> dict[str, Any]:
        return {}

    def run(self, input_text: str, **_: Any) -> Any:
        return {"output": f"{self._name}: {input_text}", "steps": [], "metadata": {}}

    async def run_async(self, input_text: str, **_: Any) -> Any:
        yield input_text


def run_with_client(wf: Any, executor: str, monkeypatch: pytest.MonkeyPatch, client: Any = None) -> ExecutionContext:
    """Run a workflow as programs do that have a client of their own."""
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", executor)
    made = ExecutionContext.create(
        wf.graph, wf.graph.get_start_nodes()[0], llm_client=client or Offline(model="small-1")
    )
    made.register_llm_agent("writer", Writer("writer"))
    WorkflowEngine().execute(made)
    return made


def test_a_client_goes_to_the_first_parameter_or_to_the_one_called_so(executor: str, monkeypatch: Any) -> None:
    with workflow("w") as wf:

        @task(inject_llm_client=True)
        def summarize(llm: LLMClient, text: str) -> str:
            return llm.completion_text([{"content": text}])

        @task(inject_llm_client=True)
        def translate(text, *, llm_client, to="de"):
            return llm_client.model, text, to

        parallel(summarize(task_id="s", text="a letter"), translate(task_id="t", text="a word"))
    context = run_with_client(wf, executor, monkeypatch)
    assert context.get_result("s") == "small-1 on a letter"
    assert context.get_result("t") == ("small-1", "a word", "de")


def test_context_client_and_agent_together(executor: str, monkeypatch: Any) -> None:
    policy = RetryPolicy(max_retries=1, initial_interval=0.0)
    with workflow("w") as wf:

        @task(inject_context=True, inject_llm_client=True, inject_llm_agent="writer", retry_policy=policy)
        def report(ctx, llm, agent, title):
            assert ctx.llm_client is llm
            assert ctx.get_llm_agent("writer") is agent
            if ctx.retry_count == 0:
                raise ValueError("once more")
            return ctx.task_id, llm.model, agent.run(title)["output"]

        @task
        def title():
            return "the year"

        title >> report
    context = run_with_client(wf, executor, monkeypatch)
    assert context.get_result("report") == ("report", "small-1", "writer: the year")


def test_each_item_of_a_map_has_them(executor: str, monkeypatch: Any) -> None:
    with workflow("w") as wf:

        @task(inject_llm_client=True, inject_llm_agent="writer")
        def answer(llm_client, llm_agent, question, tone="dry"):
            return f"{llm_client.model}, {tone}, {llm_agent.run(question)['output']}"

        answer.map(["who", "when"], task_id="m")
    context = run_with_client(wf, executor, monkeypatch)
    assert context.get_result("m") == ["small-1, dry, writer: who", "small-1, dry, writer: when"]


def test_the_data_of_an_iteration_goes_to_what_is_open(executor: str, monkeypatch: Any) -> None:
    with workflow("w") as wf:

        @task(inject_context=True, inject_llm_client=True)
        def refine(ctx, llm, draft=""):
            if len(draft) < 3:
                ctx.next_iteration(draft + "x")
            return llm.model, draft

    context = run_with_client(wf, executor, monkeypatch)
    assert context.get_result("refine") == ("small-1", "xxx")


def test_a_workflow_registers_agents_and_what_makes_them(executor: str) -> None:
    """Each run has its own; a body that registers another one is heard by those that follow."""
    with workflow("w", executor=executor) as wf:
        wf.register_llm_agent("given", Writer("given"))
        wf.register_llm_agent("made", lambda context: Writer(f"made for {len(context.session_id)}"))

        @task(inject_llm_agent="given")
        def first(agent):
            return agent.name

        @task(inject_llm_agent="made", inject_context=True)
        def second(ctx, llm_agent):
            ctx.register_llm_agent("given", Writer("another"))
            return llm_agent.name

        first >> second >> first(task_id="third")
    for _ in range(2):
        _, context = wf.execute(ret_context=True)
        assert [context.get_result(name) for name in ("first", "second", "third")] == [
            "given",
            "made for 32",
            "another",
        ]


def test_an_agent_that_cannot_be_copied_is_made_in_workers() -> None:
    """By the function that made it here; without one the error says so."""

    def make(_: Any) -> LLMAgent:
        return Writer("locked", threading.Lock())

    def ask(provider: Any) -> Any:
        with workflow("w", executor="process") as wf:
            wf.register_llm_agent("writer", provider)
            task("ask", inject_llm_agent="writer")(lambda llm_agent: llm_agent.name)
        return wf.execute()

    assert ask(make) == "locked"
    with pytest.raises(TaskSerializationError, match=r"Task 'ask': the LLM agent 'writer'.*because of .tool"):
        ask(make(None))


def test_an_agent_that_nobody_registered(executor: str) -> None:
    with workflow("w", executor=executor) as wf:
        task("ask", inject_llm_agent="writer")(lambda llm_agent: llm_agent)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute()
    assert str(caught.value.__cause__) == (
        "Task 'ask' requires LLMAgent 'writer', but it's not registered. "
        "Register it with: context.register_llm_agent('writer', agent)"
    )


def test_what_is_registered_and_is_no_agent() -> None:
    with workflow("w") as wf:
        wf.register_llm_agent("writer", 3)
        task("ask", inject_llm_agent="writer")(lambda llm_agent: llm_agent)
    with pytest.raises(TypeError, match="LLMAgent provider for 'writer' must be LLMAgent or callable"):
        wf.execute()


def test_without_a_client_of_its_own_a_run_has_the_default(executor: str, monkeypatch: Any) -> None:
    monkeypatch.delenv("GRAFLOW_LLM_MODEL", raising=False)
    with workflow("w", executor=executor) as wf:
        task("ask", inject_llm_client=True)(lambda llm: (type(llm).__name__, llm.model))
    assert wf.execute() == ("LLMClient", "gpt-5-mini")


class Greetings(PromptManager):
    """A manager of prompts that knows one."""

    def get_prompt(self, name: str, **_: Any) -> Any:
        return f"prompt {name}"

    get_text_prompt = get_chat_prompt = get_prompt


def test_prompts_of_files_and_of_another_manager(executor: str, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "short.yaml").write_text(
        "greeting:\n  type: text\n  labels:\n    production:\n      content: 'Dear {{name}}'\n      version: 1\n"
    )
    for manager, expected in ((YAMLPromptManager(str(tmp_path)), "Dear Ada"), (Greetings(), "prompt letters/greeting")):
        with workflow("w", prompt_manager=manager, executor=executor) as wf:

            @task(inject_context=True)
            def greet(ctx):
                found = ctx.prompt_manager.get_prompt("letters/greeting")
                return found if isinstance(found, str) else found.render(name="Ada")

            greet(task_id="one") >> greet(task_id="two")  # graflow's manager is not for several threads
        _, context = wf.execute(ret_context=True)
        assert [context.get_result(name) for name in ("one", "two")] == [expected, expected]


def test_without_a_manager_prompts_are_those_of_a_folder(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAFLOW_PROMPTS_DIR", str(tmp_path))
    with workflow("w") as wf:
        task("where", inject_context=True)(lambda ctx: str(ctx.prompt_manager.prompts_dir))
    assert wf.execute(executor="inline") == str(tmp_path.resolve())


def test_a_client_is_kept_in_a_checkpoint_and_agents_if_they_can_be(
    executor: str, monkeypatch: Any, tmp_path: Path
) -> None:
    path = str(tmp_path / "here")
    with workflow("w") as wf:

        @task(inject_context=True)
        def stop(ctx):
            ctx.checkpoint(path=path)

        ask = task("ask", inject_llm_client=True, inject_llm_agent="writer")(lambda llm, agent: (llm.model, agent.name))
        stop >> ask
    first = run_with_client(wf, executor, monkeypatch)
    resumed, _ = CheckpointManager.resume_from_checkpoint(path)
    WorkflowEngine().execute(resumed)
    assert resumed.get_result("ask") == first.get_result("ask") == ("small-1", "writer")


def test_a_test_calls_a_body_with_its_own() -> None:
    @task(inject_llm_client=True)
    def summarize(llm, text):
        return llm.completion_text([{"content": text}])

    assert summarize.run(llm=Offline(model="mine"), text="it") == "mine on it"
    assert (summarize.inject_llm_client, summarize.inject_llm_agent) == (True, None)
    assert summarize(task_id="s", text="x").inject_llm_client


def test_what_is_kept_in_a_cache_is_handed_no_llm() -> None:
    with pytest.raises(ConfigError, match="cache=True and an injected LLM don't go together"):
        task("ask", inject_llm_client=True, cache=True)(lambda llm: llm)
