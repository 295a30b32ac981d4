"""`@task(transient=True)`: results that can't be kept, or need not be, are made again for who reads them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError


class Program:
    """A program whose transient task may be a member of a group, and whose last task fails at first.

    Attributes:
        ran: the bodies that have run; reads: whether the last task reads the transient result; fails: whether it fails.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reads = self.fails = True
        self.connects = True

    def made(self, place: str) -> WorkflowContext:
        """Return the workflow, with the transient task alone, as a member, or where tasks run beside each other."""
        with workflow("connected", schedule="parallel" if place == "parallel" else "sequential") as wf:

            @task
            def address() -> str:
                self.ran.append("address")
                return "here"

            @task(transient=True, inject_context=True)
            def connect(ctx: Any, address: str) -> Any:
                self.ran.append("connect")
                if not self.connects:
                    raise ConnectionError("no answer")
                ctx.get_channel().append("connects", 1)
                return {"lock": threading.Lock(), "address": address}

            @task
            def sibling() -> None: ...

            @task(inject_context=True)
            def uses(ctx: Any) -> None:
                self.ran.append("uses")
                assert ctx.get_result("connect") is ctx.get_result("connect")  # it is no copy

            @task(inject_context=True)
            def last(ctx: Any) -> Any:
                self.ran.append("last")
                found = ctx.get_result("connect")["address"] if self.reads else "not read"
                if self.fails:
                    raise ValueError("not yet")
                return found, ctx.get_channel().get("connects")

            address >> ((connect | sibling) if place == "member" else connect) >> uses >> last
        return wf


@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize("place", ["alone", "member", "parallel"])
def test_a_result_that_can_not_be_kept_is_made_again_for_who_reads_it(
    tmp_path: Path, place: str, executor: str
) -> None:
    """Once in a process that goes on, with the same arguments; what its body wrote is not written again."""
    program = Program()
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        program.made(place).execute(durable=tmp_path / "runs.db", executor=executor)
    assert program.ran == ["address", "connect", "uses", "last"]
    program.ran.clear()
    program.fails = False
    assert program.made(place).resume(tmp_path / "runs.db", executor=executor) == ("here", [1])
    assert program.ran == ["last", "connect"]


def test_what_nobody_reads_is_not_made_again(tmp_path: Path) -> None:
    """Its task is done."""
    program = Program()
    program.reads = False
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        program.made("alone").execute(durable=tmp_path / "runs.db")
    program.ran.clear()
    program.fails = False
    assert program.made("alone").resume(tmp_path / "runs.db") == ("not read", [1])
    assert program.ran == ["last"]


def test_a_body_that_fails_when_it_is_called_again_fails_who_reads_its_result(tmp_path: Path) -> None:
    """The error names the task whose result it was."""
    program = Program()
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        program.made("alone").execute(durable=tmp_path / "runs.db")
    program.connects = False
    with pytest.raises(GraflowRuntimeError, match="'connect' is transient.*no answer"):
        program.made("alone").resume(tmp_path / "runs.db")
    program.connects, program.fails = True, False
    assert program.made("alone").resume(tmp_path / "runs.db") == ("here", [1])


def test_a_transient_result_is_the_result_of_the_run(tmp_path: Path) -> None:
    """Also when a run that is done is asked for it again, and of a run that is not durable."""
    with workflow("last") as wf:

        @task(transient=True)
        def only() -> Any:
            return threading.Lock()

    for options in ({"durable": tmp_path / "runs.db", "run": "r"}, {"durable": tmp_path / "runs.db", "run": "r"}, {}):
        assert wf.execute(**options).acquire(blocking=False)


def test_a_body_in_a_worker_reads_a_copy(tmp_path: Path) -> None:
    """As far as it can be pickled."""
    with workflow("worker") as wf:

        @task(transient=True, handler="direct")
        def model() -> list[int]:
            return [1, 2]

        @task(handler="process")
        def argument(model: list[int]) -> int:
            return sum(model)

        @task(handler="process", inject_context=True)
        def asks(ctx: Any) -> int:
            return sum(ctx.get_result("model"))

        @task(inject_context=True)
        def both(ctx: Any) -> Any:
            return ctx.get_result("argument"), ctx.get_result("asks")

        model >> (argument | asks) >> both
    assert wf.execute(durable=tmp_path / "runs.db") == (3, 3)
