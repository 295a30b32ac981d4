"""Where graflow is installed, its parts for LLMs, prompts and feedback run on this engine."""

from __future__ import annotations

from pathlib import Path

import pytest

#: A graflow as far as these tests need one, in an empty folder. Its engine must never be imported.
FILES = {
    "graflow/__init__.py": "raise SystemExit('graflow itself was imported')",
    "graflow/llm/__init__.py": "from graflow.llm.client import Client\n",
    "graflow/llm/client.py": (
        "import graflow\nimport graflow.llm.types as types\nfrom graflow.core.retry import RetryPolicy\n"
        "class Client:\n"
        "    def where(self):\n"
        "        from graflow.core.context import ExecutionContext\n"
        "        return ExecutionContext.__module__, RetryPolicy.__module__, graflow.__name__, types.__name__\n"
    ),
    "graflow/llm/types.py": "",
    "graflow/trace/__init__.py": "",
    "graflow/trace/langfuse.py": ("from graflow.trace.base import Tracer\nclass LangFuseTracer(Tracer):\n    pass\n"),
}
PLACES = "('graflow_fast.core.context', 'graflow_fast.core.retry', 'graflow_fast', 'graflow_fast.llm.types')"


@pytest.fixture
def graflow(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("first", ["", "import graflow_fast.install\n"], ids=["renamed", "unchanged"])
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_client(run, graflow: Path, executor: str, first: str) -> None:
    """Its module is graflow's, what it imports is this engine's; also in a worker, and by either name."""
    name = "graflow" if first else "graflow_fast"
    (graflow / "program.py").write_text(
        f"{first}from {name} import task, workflow\nfrom {name}.llm import Client\n"
        f"with workflow('w', executor={executor!r}) as wf:\n"
        "    task('ask')(lambda: Client().where())\n"
        "    print(wf.execute(), Client.__module__)\n"
    )
    done = run("program.py")
    assert (done.stdout, done.stderr) == (f"{PLACES} graflow_fast.llm.client\n", "")


def test_a_tracer(run, graflow: Path) -> None:
    """A single module, in a package that is here: its base class is this engine's."""
    (graflow / "program.py").write_text(
        "from graflow_fast.trace.base import Tracer\nfrom graflow_fast.trace.langfuse import LangFuseTracer\n"
        "print(issubclass(LangFuseTracer, Tracer), LangFuseTracer.__module__)\n"
    )
    done = run("program.py")
    assert (done.stdout, done.stderr) == ("True graflow_fast.trace.langfuse\n", "")


def test_nothing_is_cached_beside_graflow(run, graflow: Path) -> None:
    """Its own imports would find this engine's there."""
    done = run("-c", "import graflow_fast.llm", PYTHONPATH=str(graflow) + ":" + _path())
    assert done.stderr == ""
    assert list((graflow / "graflow").rglob("*.pyc")) == []


def _path() -> str:
    import os

    return os.environ.get("PYTHONPATH", "")


def test_functions_as_bytes() -> None:
    from graflow_fast.core.serialization import dumps, loads

    factor = 3
    assert loads(dumps(lambda n: n * factor))(2) == 6
