"""Functions that differ in nothing cross as one; each task still has its own name, result and changes."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._wire import crossing
from graflow_fast.core.definition import Definition

LIMIT = 7
SEEN: list[int] = []


class Core:
    """In the place of a pool's: what workers would be told."""

    def __init__(self) -> None:
        self.told: dict[int, bytes] = {}

    def define(self, key: int, blob: bytes) -> None:
        self.told[key] = blob

    share = define

    def forget(self, key: int) -> None:
        del self.told[key]

    def backlog(self) -> int:
        return 0


def alike(count: int) -> list[Any]:
    return [lambda: LIMIT for _ in range(count)]


def unlike(count: int) -> list[Any]:
    return [lambda number=number: number for number in range(count)]


def test_functions_that_have_nothing_of_their_own_have_one_key() -> None:
    core = Core()
    table = DefinitionTable(core)
    definitions = [Definition.of(function, False, True) for function in alike(5)]
    keys = {table.keys_for(definitions[0], "x")}
    told = len(core.told)  # all that is known to all pools, too, which depends on what ran before
    keys.update(table.keys_for(each, "x") for each in definitions)
    assert len(keys) == 1
    assert len(core.told) == told
    others = [Definition.of(function, False, True) for function in unlike(5)]
    assert len({table.keys_for(each, "x")[0] for each in others}) == 5
    assert len(core.told) > told


def test_the_key_means_a_definition_as_long_as_one_of_them_lives() -> None:
    core = Core()
    table = DefinitionTable(core)
    # Of a code of their own: those of another test may live as long as its report.
    definitions = [Definition.of(function, False, True) for function in [lambda: (LIMIT, "here") for _ in range(3)]]
    (key,) = {table.keys_for(each, "x")[0] for each in definitions}
    while definitions:
        assert table.find(key) in definitions
        definitions.pop()
        gc.collect()
    with pytest.raises(LookupError):
        table.find(key)
    table.forget_gone()
    assert key not in core.told


def test_a_function_that_gets_something_of_its_own_gets_a_key_of_its_own() -> None:
    table = DefinitionTable(Core())
    first, second = (Definition.of(function, False, True) for function in alike(2))
    assert table.keys_for(first, "x") == table.keys_for(second, "x")
    first.func.__defaults__ = ()
    assert table.keys_for(first, "x") == table.keys_for(second, "x")

    def inner(value: int = 1) -> int:
        return value

    third = Definition.of(inner, False, True)
    key = table.keys_for(third, "x")[0]
    assert crossing.definition_of(key) is third


@pytest.mark.parametrize("executor", ["process", "inline", "thread"])
def test_many_functions_alike(executor: str) -> None:
    with workflow("alike") as flow:
        parallel(*[task(f"t{number}")(function) for number, function in enumerate(alike(50) + unlike(50))])
    _, context = flow.execute(executor=executor, max_workers=2, ret_context=True)
    assert [context.get_result(f"t{number}") for number in range(100)] == [LIMIT] * 50 + list(range(50))


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_such_functions_enqueue_others_like_them(executor: str) -> None:
    def make() -> Any:
        def body(ctx: Any) -> str:
            ctx.next_task(task(f"{ctx.task_id} again")(lambda: LIMIT))
            return str(ctx.task_id)

        return body

    with workflow("alike") as flow:
        parallel(*[task(f"m{number}", inject_context=True)(make()) for number in range(20)])
    _, context = flow.execute(executor=executor, max_workers=2, ret_context=True)
    assert [context.get_result(f"m{number}") for number in range(20)] == [f"m{number}" for number in range(20)]
    assert [context.get_result(f"m{number} again") for number in range(20)] == [LIMIT] * 20


@pytest.mark.filterwarnings("ignore::graflow_fast.exceptions.LostMutationWarning")
def test_what_one_of_them_changes_no_other_sees() -> None:
    def make() -> Any:
        def body() -> int:
            SEEN.append(1)
            return len(SEEN)

        return body

    with workflow("alike") as flow:
        parallel(*[task(f"t{number}")(make()) for number in range(20)])
    _, context = flow.execute(executor="process", max_workers=2, ret_context=True)
    assert [context.get_result(f"t{number}") for number in range(20)] == [1] * 20
    assert SEEN == []
