"""``import graflow_fast.install``: graflow and all below it mean this engine, here and in worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM = """\
import sys
from graflow import chain, parallel, task, workflow
from graflow.channels.typed import TypedChannel
from graflow.core.task import TaskWrapper
from graflow.exceptions import GraflowRuntimeError
import graflow.core.engine


class Order:
    def __init__(self, amount):
        self.amount = amount


with workflow("orders", executor=EXECUTOR) as wf:

    @task
    def load():
        import graflow.core.task  # in a worker, too

        return graflow.core.task.__name__, Order(3)

    @task
    def total(load):
        name, order = load
        return name, isinstance(order, Order), order.amount

    load >> total
    print(wf.execute())
    print(isinstance(load, TaskWrapper), graflow.core.engine.__name__, "graflow.core.engine" in sys.modules)
"""
PRINTED = "('graflow_fast.core.task', True, 3)\nTrue graflow_fast.core.engine True\n"


@pytest.mark.parametrize("executor", ["auto", "inline", "thread", "process"])
def test_a_program_whose_first_line_is_the_import(run, tmp_path: Path, executor: str) -> None:
    (tmp_path / "program.py").write_text(f"import graflow_fast.install\nEXECUTOR = {executor!r}\n{PROGRAM}")
    done = run("program.py")
    assert (done.stdout, done.stderr) == (PRINTED, "")


def test_modules_that_workers_import_see_it_too(run, tmp_path: Path) -> None:
    """The tasks are in a package that imports graflow at its top; the pool was there before."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "prices.py").write_text(
        "import graflow\nfrom graflow.core.retry import RetryPolicy\n"
        "def price(n):\n    return graflow.__name__, RetryPolicy.__module__, n * 2\n"
    )
    (tmp_path / "program.py").write_text(
        "from graflow_fast import parallel, task, workflow\n"
        "with workflow('before', executor='process') as wf:\n"
        "    task('x')(lambda: 1)\n"
        "    wf.execute()\n"
        "import graflow_fast.install\n"
        "from shop import prices\n"
        "with workflow('after', executor='process') as wf:\n"
        "    task('price')(prices.price)\n"
        "    print(wf.execute(initial_channel={'n': 4}))\n"
    )
    done = run("program.py")
    assert (done.stdout, done.stderr) == ("('graflow_fast', 'graflow_fast.core.retry', 8)\n", "")


def test_it_is_the_same_module_under_both_names(run) -> None:
    """So classes are the same, and pickles, monkeypatches and reloads are seen by both."""
    code = """
import graflow_fast.install
import importlib, pickle
from unittest import mock
import graflow, graflow_fast
import graflow.core.graph, graflow_fast.core.graph
import graflow.core.retry
from graflow import RetryPolicy
assert graflow is graflow_fast and graflow.core.graph is graflow_fast.core.graph
assert graflow.task is graflow_fast.task
assert graflow.core.graph.__spec__.name == graflow.core.graph.__name__ == "graflow_fast.core.graph"
policy = pickle.loads(pickle.dumps(RetryPolicy(max_retries=3)))
assert type(policy) is graflow_fast.RetryPolicy and policy.max_retries == 3
named = b"cgraflow.core.retry\\nRetryPolicy\\n."  # as graflow writes it
assert pickle.loads(named) is RetryPolicy
with mock.patch("graflow.core.engine.WorkflowEngine.execute", return_value="patched"):
    with graflow.workflow("w") as wf:
        graflow.task("t")(lambda: 1)
        assert wf.execute() == "patched"
assert importlib.reload(graflow) is graflow_fast
assert importlib.reload(graflow.core.retry) is graflow_fast.core.retry
assert importlib.util.find_spec("graflow.core.task").name in ("graflow.core.task", "graflow_fast.core.task")
assert "graflow_fast" in repr(graflow)
"""
    done = run("-c", code)
    assert done.stderr == ""


def test_tracebacks_name_the_engine(run) -> None:
    code = """
import graflow_fast.install
from graflow import task, workflow
with workflow("w") as wf:
    @task
    def broken():
        raise ValueError("no")
    wf.execute()
"""
    done = run("-c", code)
    assert "graflow_fast.exceptions.GraflowRuntimeError: An error occurred: no" in done.stderr


def test_what_is_not_here_says_why(run) -> None:
    """A module of graflow that has no counterpart, and a name that neither has."""
    code = """
import graflow_fast.install
for name in ("graflow.worker.main", "graflow.coordination.redis_coordinator", "graflow.no_such_module"):
    try:
        __import__(name)
    except ImportError as error:
        print(error)
"""
    done = run("-c", code)
    worker, redis, unknown = done.stdout.splitlines()
    assert worker.startswith("graflow_fast has no")
    assert redis.startswith("graflow_fast has no Redis coordinator")
    assert unknown == "No module named 'graflow.no_such_module'"


def test_too_late_is_an_error(run, tmp_path: Path) -> None:
    """Two engines in one program would each know half of its tasks."""
    (tmp_path / "graflow.py").write_text("")
    done = run("-c", "import sys; sys.path.insert(0, '.'); import graflow, graflow_fast.install")
    assert "graflow has been imported already" in done.stderr
    assert "python -m graflow_fast program.py" in done.stderr


def test_it_can_be_taken_back(run, tmp_path: Path) -> None:
    (tmp_path / "graflow.py").write_text("engine = 'the other one'")
    code = """
import sys; sys.path.insert(0, '.')
import graflow_fast.install
import graflow.core.task
graflow_fast.install.uninstall()
import graflow
print(graflow.engine, "graflow.core.task" in sys.modules, graflow_fast.install.is_installed())
"""
    done = run("-c", code)
    assert (done.stdout, done.stderr) == ("the other one False False\n", "")


def test_tests_of_pytest_run_by_it(run, tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(
        "from graflow import task, workflow\n"
        "def test_shop():\n"
        "    with workflow('w') as wf:\n"
        "        task('t')(lambda: 3)\n"
        "        assert wf.execute() == 3\n"
        "    assert task.__module__ == 'graflow_fast.core.decorators'\n"
    )
    done = run("-m", "pytest", "-q", "-p", "graflow_fast.install", "-p", "no:cacheprovider", "test_shop.py")
    assert "1 passed" in done.stdout
