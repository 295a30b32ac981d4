"""Whole numbers are whole in each option: fractions and booleans are refused, integers of numpy are integers."""

from __future__ import annotations

import functools
from typing import Any

import numpy
import pytest

from graflow_fast import RetryPolicy, task, workflow
from graflow_fast.exceptions import ConfigError

WRONG = [0.5, 1.5, 2.0, float("nan"), True, False, numpy.bool_(True), numpy.float64(2), "2", [1]]


def nothing() -> None:
    pass


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("option", ["max_concurrency", "priority", "max_cycles", "max_retries"])
def test_of_a_task(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{option}=.* must be a (positive )?whole number$"):
        task("t", **{option: value})(nothing)


@pytest.mark.parametrize("value", [0.5, True], ids=repr)
def test_of_a_task_set_later_or_by_a_policy(value: Any) -> None:
    made = task("t")(nothing)
    with pytest.raises(ConfigError):
        made.max_cycles = value
    with pytest.raises(ConfigError):
        made.max_retries = value
    with pytest.raises(ConfigError):
        made.retry_policy = RetryPolicy(max_retries=value)
    with pytest.raises(ConfigError):
        task("t", retry_policy=RetryPolicy(max_retries=value))(nothing)


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("option", ["max_concurrency", "max_workers"])
def test_of_a_run(option: str, value: Any) -> None:
    message = f"^{option}=.* must be a positive whole number$"
    with pytest.raises(ConfigError, match=message):
        workflow("w", **{option: value})
    with workflow("w") as flow:
        task("t")(nothing)
    with pytest.raises(ConfigError, match=message):
        flow.execute(**{option: value})


@pytest.mark.parametrize("value", [0.5, True, -1, "3"], ids=repr)
def test_of_steps(value: Any) -> None:
    with workflow("w") as flow:
        task("t")(nothing)
    with pytest.raises(ConfigError, match="^max_steps=.* must be a whole number, 0 or more$"):
        flow.execute(max_steps=value)


@pytest.mark.parametrize("value", [0.5, True, False, float("inf")], ids=repr)
def test_of_memory(value: Any) -> None:
    with pytest.raises(ConfigError, match="^memory_limit=.* must be positive$"):
        task("t", memory_limit=value)(nothing)


def test_a_boolean_is_no_time() -> None:
    with pytest.raises(ConfigError, match="^timeout=True must be a positive number of seconds$"):
        task("t", timeout=True)(nothing)


def test_numbers_of_numpy_are_numbers() -> None:
    two = numpy.int64(2)
    with workflow("w", schedule="parallel", max_concurrency=two, max_workers=numpy.uint8(1)) as flow:
        made = task("t", max_concurrency=two, priority=two, max_cycles=two, max_retries=two)(lambda: 7)
    definition = made._definition
    numbers = (definition.max_concurrency, definition.priority, definition.max_cycles, definition.max_retries)
    assert numbers == (2, 2, 2, 2)
    assert {type(number) for number in (*numbers, flow.settings.max_concurrency)} == {int}
    assert flow.execute(max_steps=two) == 7


async def generator() -> Any:
    yield 1


class Yielding:
    async def __call__(self) -> Any:
        yield 1


@pytest.mark.parametrize("body", [generator, functools.partial(generator), Yielding(), Yielding().__call__])
def test_an_async_generator_is_no_body(body: Any) -> None:
    with pytest.raises(ConfigError, match="is an async generator, which a task's body can't be"):
        task("t")(body)
