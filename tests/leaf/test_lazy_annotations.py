"""Annotations are looked at when a task runs, and only as far as they say that a mapping fits."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from graflow_fast import task, workflow

LAZY = pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are computed at once before Python 3.14")

PROGRAM = """
from graflow_fast import task, workflow
with workflow("w") as flow:
    @task
    def first(x: Missing = None, y: Later = None, z: dict[str, Missing] = None) -> Missing: return 1
    @task
    def second(x: Later = None) -> Missing: return 1
    class Later: pass
    first >> second
"""


@LAZY
@pytest.mark.parametrize("place", ["inline", "thread", "process"])
def test_names_that_nobody_defines_or_only_later(place: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(PROGRAM, "<program>", "exec", dont_inherit=True), namespace)
    assert namespace["flow"].execute(executor=place, max_workers=1) == 1
    parameters = namespace["first"]._definition.parameters
    # What nobody knows may be a mapping, as it may where annotations are texts.
    assert [each.takes_mapping for each in parameters] == [True, False, True]


@LAZY
def test_whoever_asks_a_task_for_them_gets_what_the_function_says() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(PROGRAM, "<program>", "exec", dont_inherit=True), namespace)
    with pytest.raises(NameError, match="Missing"):
        namespace["second"].__annotations__
    assert namespace["second"].__annotate__ is namespace["second"].func.__annotate__


def test_a_task_shows_those_of_its_function() -> None:
    def body(n: int, names: dict[str, int]) -> str:
        return f"{n}{names}"

    with workflow("w"):
        made = task("t")(body)
    assert made.__annotations__ == body.__annotations__
    assert [each.takes_mapping for each in made._definition.parameters] == [False, True]
