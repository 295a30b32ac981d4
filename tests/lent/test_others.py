"""Functions and loggers that people bring from pydantic and loguru, on every executor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VALIDATED = """
from __future__ import annotations
import sys
from pydantic import BaseModel, validate_call
from graflow_fast import parallel, task, workflow

class Order(BaseModel):
    n: int
    parts: list[Order] = []

def build():
    class Receipt(BaseModel):
        order: Order

    @task
    @validate_call(config={"arbitrary_types_allowed": True}, validate_return=True)
    def book(order: Order, former: Receipt | None = None) -> Receipt:
        return Receipt(order=order)

    return book

@task
@validate_call
def total(n: int, k: int = 2) -> int:
    return n * k

@task
@validate_call
async def later(n: int) -> int:
    return n + 1

@validate_call
def helper(text: str) -> str:
    return text.upper()

@task
def shout(text):
    return helper(text)

book = build()
with workflow("w", executor=sys.argv[1]) as wf:
    members = total(task_id="a", n="5"), book(task_id="b", order={"n": "3"}), later(task_id="c", n="4")
    parallel(*members, shout(task_id="d", text="hey")) >> total.map(["1", 2], task_id="m")
    _, context = wf.execute(ret_context=True)
    print(*(context.get_result(name) for name in "abcdm"))
with workflow("wrong", executor=sys.argv[1]) as wf:
    total(task_id="a", n="five")
    try:
        wf.execute()
    except Exception as error:
        print(type(error.__cause__).__name__)
"""

LOGGED = """
import sys
from shop_logs import log
from loguru import logger
from graflow_fast import parallel, task, workflow

@task
def book(n):
    log.info("booked {}", n)
    logger.warning("few of {} are left", n)
    return n

with workflow("w", executor=sys.argv[1]) as wf:
    parallel(book(task_id="a", n=1), book(task_id="b", n=2)) >> book.map([7], task_id="m")
    print(wf.execute())
"""
LOGS = """
import sys
from loguru import logger
logger.remove()
logger.add(SINK, format="{level} {message} {extra}")
log = logger.bind(app="shop")
"""


def run(program: str, executor: str, folder: Path) -> str:
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py", executor], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_functions_that_pydantic_validates(executor: str, folder: Path) -> None:
    assert run(VALIDATED, executor, folder) == ("10 order=Order(n=3, parts=[]) 5 HEY [2, 4]\nValidationError\n")


LINES = [
    line for n in (1, 2, 7) for line in (f"INFO booked {n} {{'app': 'shop'}}", f"WARNING few of {n} are left {{}}")
]


@pytest.mark.parametrize("sink", ["sys.stdout", "'shop.log'"], ids=["stdout", "file"])
def test_a_logger_of_loguru_that_lives_in_a_module(executor: str, sink: str, folder: Path) -> None:
    (folder / "shop_logs.py").write_text(LOGS.replace("SINK", sink))
    printed = run(LOGGED, executor, folder).splitlines()
    if sink == "sys.stdout":
        assert printed == [*LINES, "[7]"]
    else:
        assert printed == ["[7]"]
        assert sorted((folder / "shop.log").read_text().splitlines()) == sorted(LINES)
