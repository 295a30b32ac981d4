"""Free tasks and the names of free groups belong to the namespace that defines them, and end with it."""

from __future__ import annotations

import gc
import types
from typing import Any

import cloudpickle
import pytest

from graflow_fast.exceptions import GraphCompilationError

PROGRAM = """
from graflow_fast import task, parallel, workflow
@task
def a(): return "a"
@task
def b(): return "b"
group = parallel(a, b)
"""
EMPTY = "from graflow_fast import workflow\nwith workflow('w') as flow: pass"


def run(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "a_namespace"}
    exec(text, namespace)
    return namespace


def test_groups_are_counted_by_namespace_however_many_there_have_been() -> None:
    for _ in range(200):
        assert run(PROGRAM)["group"].task_id == "ParallelGroup_1"


def test_a_task_of_a_dead_namespace_is_nobodys() -> None:
    kept = []
    for _ in range(200):
        namespace = run("from graflow_fast import task\n@task\ndef left(): pass")
        kept.append(namespace.pop("left"))
        # The function lives on, in another namespace: only the old one ends.
        function = kept[-1].func
        kept[-1]._redefine(func=types.FunctionType(function.__code__, {}))
        del namespace, function
        gc.collect(0)
        empty = run(EMPTY)
        with pytest.raises(GraphCompilationError, match="there is none"):
            empty["flow"].execute()
        del empty


def test_a_module_that_is_pickled_by_value_leaves_them_behind() -> None:
    module = types.ModuleType("made_by_hand")
    exec(PROGRAM, module.__dict__)
    copy = cloudpickle.loads(cloudpickle.dumps(module))
    assert copy.a.task_id == "a"
