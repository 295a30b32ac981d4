"""The parameters of plain functions are read in Rust as `core/signatures.py` reads all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graflow_fast._core import Filler
from graflow_fast.core.definition import Definition
from graflow_fast.core.signatures import read_parameters

FUNCTIONS: list[Callable[..., Any]] = [
    lambda: 0,
    lambda a: 0,
    lambda a, b=1: 0,
    lambda a, /, b, *, c, d=1: 0,
    lambda *rest: 0,
    lambda *rest, a, b=2: 0,
    lambda **more: 0,
    lambda a, b=1, *rest, c, d=2, **more: 0,
    lambda a=1, /, **more: 0,
]


def annotated(ctx: Any, number: int, row: dict[str, int], other: Any = None) -> int:
    return number


def returning(number, other=1) -> int:  # type: ignore[no-untyped-def]
    return number + other


@pytest.mark.parametrize("skips_first", [False, True])
@pytest.mark.parametrize("function", [*FUNCTIONS, annotated, returning], ids=range(len(FUNCTIONS) + 2))
def test_parameters_are_the_same(function: Callable[..., Any], skips_first: bool) -> None:
    filler = Filler.of(Definition(function, inject_context=skips_first))
    parameters, takes_any = read_parameters(function, skips_first)
    assert filler.listed == tuple((each.name, each.required, each.takes_mapping) for each in parameters)
    assert filler.takes_any == takes_any
    assert filler.keys == [key for each in parameters for key in (each.result_key, each.name)]


def test_who_looks_nothing_up_has_no_keys() -> None:
    assert Filler.of(Definition(lambda a: a, resolve_keyword_args=False)).keys == []


def test_what_another_one_has_listed() -> None:
    listed = Filler.of(Definition(annotated, inject_context=True)).listed
    assert (
        Filler.of_listed(listed, True, False).listed
        == listed
        == (
            ("number", True, False),
            ("row", True, True),
            ("other", False, True),
        )
    )
