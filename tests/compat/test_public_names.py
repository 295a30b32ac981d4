"""Each public name of graflow 0.2.0 (`public_names.json`) is here, tried one by one, or says what to use instead."""

import importlib
import inspect
import json
from functools import cache
from pathlib import Path

import pytest
from test_names import ABSENT, HAS_GRAFLOW, LENT

from graflow_fast import parallel, task
from graflow_fast.core.context import ExecutionContext, TaskExecutionContext
from graflow_fast.core.graph import TaskGraph

RECORDED = json.loads((Path(__file__).parent / "public_names.json").read_text(encoding="utf-8"))
#: Modules and names that are told to be not here, and what can't be asked of an object: `module.Class.member`.
_LENT = tuple(name for name, _ in LENT)
WITHOUT = ABSENT if HAS_GRAFLOW else ABSENT + LENT
NOT_HERE = {name for name, members in WITHOUT if not members}
NOT_HERE |= {f"{name}.{member}" for name, members in WITHOUT for member in members}


def is_here(name: str) -> bool:
    """Whether neither a name nor what it lies in is said to be not here."""
    parts = name.split(".")
    return not any(".".join(parts[:length]) in NOT_HERE for length in range(1, len(parts) + 1))


NAMES = [
    (module, name, found)
    for module, names in RECORDED.items()
    for name, found in names.items()
    if is_here(f"{module}.{name}")
]
MEMBERS = [
    (module, name, member, parameters)
    for module, name, found in NAMES
    if isinstance(found, dict)
    for member, parameters in found["members"].items()
    if member != "__init__" and is_here(f"{module}.{name}.{member}")
]


@cache
def instance(module: str, name: str):
    """Make an object of a class that needs arguments; the class itself if there are no objects of it as such."""
    found = getattr(importlib.import_module(f"graflow_fast.{module}"), name)
    one, two = task("one")(lambda: 1), task("two")(lambda: 2)
    context = ExecutionContext.create(TaskGraph())
    made = {
        "AtLeastNGroupPolicy": lambda: found(1),
        "CriticalGroupPolicy": lambda: found(["one"]),
        "CycleLimitExceededError": lambda: found("one", 1, 1),
        "DuplicateTaskError": lambda: found("one"),
        "ExecutionContext": lambda: context,
        "LocalTaskQueue": lambda: found(context),
        "MemoryChannel": lambda: found("channel"),
        "Channel": lambda: context.channel,
        "ParallelGroup": lambda: parallel(one, two),
        "ParallelGroupError": lambda: found("message", "group", [], []),
        "RetryLimitExceededError": lambda: found("one", 1, 1),
        "SequentialTask": lambda: one >> two,
        "Task": lambda: found("one"),
        "TaskError": lambda: found("one", "message"),
        "TaskExecutionContext": lambda: TaskExecutionContext("one", context),
        "TaskQueue": lambda: context.queue,
        "TaskResult": lambda: found("one", True),
        "TaskSpec": lambda: found(one, context),
        "TaskWrapper": lambda: one,
        "Tracer": lambda: importlib.import_module("graflow_fast.trace.noop").NoopTracer(),
        "WorkflowContext": lambda: found("workflow"),
    }.get(name)
    if made is None and (inspect.isabstract(found) or "CoordinationBackend" in name or name == "TaskStatus"):
        return found
    try:
        if made is None and inspect.isclass(found) and issubclass(found, Exception):
            return found("message")
        return found() if made is None else made()
    except Exception:  # a record with many fields, or one that needs another service: its class tells them
        return found


@pytest.mark.parametrize(("module", "name", "found"), NAMES, ids=[f"{module}.{name}" for module, name, _ in NAMES])
def test_a_name(module, name, found):
    """It can be imported, and a function, or a class's constructor, takes parameters of the same names."""
    here = getattr(importlib.import_module(f"graflow_fast.{module}"), name)
    if isinstance(found, dict):
        assert inspect.isclass(here)
        found = found["members"].get("__init__")
    if found is not None:
        assert missing_parameters(here, found) == []


@pytest.mark.parametrize(
    ("module", "name", "member", "parameters"), MEMBERS, ids=[f"{each[0]}.{each[1]}.{each[2]}" for each in MEMBERS]
)
def test_a_member(module, name, member, parameters):
    """An object has it, and a method takes parameters of the same names."""
    owner = instance(module, name)
    of_class = owner if inspect.isclass(owner) else type(owner)
    defined = getattr(importlib.import_module(f"graflow_fast.{module}"), name)
    if parameters is None and inspect.isclass(owner) and module.startswith(_LENT):
        pytest.skip("graflow's own, which needs arguments: what an object has beyond its class is not asked")
    fields = {field for each in (*of_class.__mro__, defined) for field in getattr(each, "__annotations__", {})}
    assert hasattr(owner, member) or member in fields
    found = getattr(owner, member, None)
    if parameters is not None and callable(found):
        assert missing_parameters(found, parameters) == []


def missing_parameters(function, names):
    """Return the names that can't be given by keyword."""
    try:
        there = inspect.signature(function).parameters
    except ValueError:
        return []
    if any(each.kind is each.VAR_KEYWORD for each in there.values()):
        return []
    return [name for name in names if name not in there and name not in ("args", "kwargs") and not name.startswith("_")]


def test_much_was_recorded():
    assert len(RECORDED) > 60
    assert len(NAMES) > 70
    assert len(MEMBERS) > 300
