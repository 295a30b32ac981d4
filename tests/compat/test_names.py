"""The table of docs/compatibility.md is true: what it calls same or better is there, what is not here says so."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from headers import header, names

from graflow_fast._borrowed import is_installed

DOCUMENT = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w.]+)` \| (same|better|lent|not here) \| ([^|]*)\| (.*) \|$", re.MULTILINE)
ROWS = [
    (name, status, tuple(re.findall(r"`(\w+)`", members)), note)
    for name, status, members, note in ROW.findall(DOCUMENT)
]
LENT = [(name, members) for name, status, members, _ in ROWS if status == "lent"]
HAS_GRAFLOW = is_installed()
PRESENT = [
    (name, members)
    for name, status, members, _ in ROWS
    if status != "not here" and (status != "lent" or (HAS_GRAFLOW and members))
]
ABSENT = [(name, members) for name, status, members, _ in ROWS if status == "not here"]
WITH_INSTANCES = ("core.context.ExecutionContext", "core.context.TaskExecutionContext", "core.workflow.WorkflowContext")


def find(name):
    """Import `module.name` of graflow_fast."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"graflow_fast.{module}"), attribute)


def instance(name):
    """Make one of the classes that have members which are not here."""
    context = importlib.import_module("graflow_fast.core.context")
    graph = importlib.import_module("graflow_fast.core.graph").TaskGraph()
    run = context.ExecutionContext.create(graph)
    if name == WITH_INSTANCES[0]:
        return run
    if name == WITH_INSTANCES[1]:
        return context.TaskExecutionContext("t", run)
    return importlib.import_module("graflow_fast.core.workflow").WorkflowContext("w")


def test_every_row_was_read():
    table = [line for line in DOCUMENT.splitlines() if line.startswith("| `")]
    assert len(table) == len(ROWS) > 90


def test_what_is_not_here_has_a_substitute():
    assert [name for name, status, _, note in ROWS if status != "same" and not note] == []


@pytest.mark.parametrize(("name", "members"), PRESENT, ids=[name for name, _ in PRESENT])
def test_present(name, members):
    found = find(name)
    if name in WITH_INSTANCES:
        found = instance(name)
    fields = getattr(found, "__dataclass_fields__", {})
    assert [member for member in members if member not in dir(found) and member not in fields] == []


@pytest.mark.parametrize("name", [name for name, members in ABSENT if not members])
def test_absent(name):
    module, _, attribute = name.rpartition(".")
    statement = f"import graflow_fast.{name}" if name.islower() else f"from graflow_fast.{module} import {attribute}"
    with pytest.raises(ImportError, match=r"graflow_fast has no|not part of graflow_fast"):
        exec(statement)


@pytest.mark.parametrize(
    ("name", "member"), [(name, member) for name, members in ABSENT for member in members], ids=lambda value: value
)
def test_absent_member(name, member):
    owner = instance(name)
    errors = importlib.import_module("graflow_fast.exceptions")

    def use():
        value = getattr(owner, member)
        if callable(value):
            required = [p for p in inspect.signature(value).parameters.values() if p.default is p.empty]
            value(*("x" for p in required if p.kind is p.POSITIONAL_OR_KEYWORD))

    with pytest.raises((AttributeError, errors.ConfigError)) as caught:
        use()
    assert member in str(caught.value) or "not part of graflow_fast" in str(caught.value)


WITHOUT = pytest.mark.skipif(HAS_GRAFLOW, reason="graflow is installed")


@WITHOUT
@pytest.mark.parametrize("name", [name for name, members in LENT if not members])
def test_a_lent_module(name):
    with pytest.raises(ImportError, match=r"pip install 'graflow-fast\[graflow\]'"):
        importlib.import_module(f"graflow_fast.{name}")


@WITHOUT
@pytest.mark.parametrize(
    ("name", "member"), [(name, member) for name, members in LENT for member in members], ids=lambda value: value
)
def test_a_lent_member(name, member):
    """What needs graflow says so when it is used; an agent of one's own needs none."""
    owner = instance(name)
    errors = importlib.import_module("graflow_fast.exceptions")

    def use():
        value = getattr(owner, member)
        required = [p for p in inspect.signature(value).parameters.values() if p.default is p.empty]
        value(*("x" for p in required if p.kind is p.POSITIONAL_OR_KEYWORD))

    if member == "register_llm_agent":
        use()
    elif member == "get_llm_agent":
        with pytest.raises(KeyError, match="'x' not found"):
            use()
    else:
        with pytest.raises(errors.ConfigError, match=r"pip install 'graflow-fast\[graflow\]'"):
            use()


def test_every_difference_is_documented():
    described = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^### .*\((`\w+`(?:, `\w+`)*)\)$", DOCUMENT, re.MULTILINE)))
    )
    assert described == {name for name in names() if "differs" in header(name)}
