"""What `logging` is told of a run, and by which task a record was made."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from kept import Kept, task_of

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError

EXECUTORS = ["inline", "thread", "process", "auto"]


def application() -> Any:
    """A workflow whose bodies log, in all the ways in which bodies run."""
    with workflow("logs") as wf:

        @task
        def plain() -> None:
            logging.getLogger("app").warning("plain")

        @task(inject_context=True)
        def loop(ctx: Any) -> None:
            logging.getLogger("app").info("round %d", ctx.cycle_count)
            if ctx.cycle_count < 2:
                ctx.next_iteration()

        @task
        def member(n: int) -> None:
            logging.getLogger("app.deep").info("member")

        @task
        def item(n: int) -> None:
            logging.info("item")

        @task
        async def awaits() -> None:
            logging.info("awaits")

        group = parallel(*[member(task_id=f"m{n}", n=n) for n in range(3)])
        plain >> loop >> group >> item.map(range(2), task_id="items") >> awaits
    return wf


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_records_of_bodies_carry_their_task(executor: str, schedule: str, kept: Kept) -> None:
    application().execute(executor=executor, schedule=schedule)
    said = kept.of_bodies()
    loops = [name for text, name in said if text.startswith("round")]
    assert loops[0] == "loop"
    assert loops[1].startswith("loop"), "another round has a name of its own"  # type: ignore[union-attr]
    rest = [each for each in said if not each[0].startswith("round")]
    if (executor, schedule) == ("thread", "parallel"):  # members log where they run, which is at once
        rest[1:4] = sorted(rest[1:4])
    assert rest == [
        ("plain", "plain"),
        ("member", "m0"),
        ("member", "m1"),
        ("member", "m2"),
        ("item", "items[0]"),
        ("item", "items[1]"),
        ("awaits", "awaits"),
    ]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_says_that_it_begins_retries_fails_and_ends(executor: str, kept: Kept) -> None:
    with workflow("fails") as wf:

        @task(max_retries=1)
        def breaks() -> None:
            raise ValueError("bad header")

        @task
        def item(n: int) -> None:
            raise KeyError(n)

        parallel(item.map([1], task_id="items", fail_fast=False), breaks)
    with pytest.raises(GraflowRuntimeError):
        wf.execute(executor=executor)
    said = kept.of_runs()
    assert said[0][:2] in [
        ("INFO", f"run of 'fails' begins ({executor}{workers})") for workers in ("", f", {os.cpu_count()} workers")
    ]
    assert (
        "WARNING",
        "task 'breaks' failed in attempt 1, and is tried again: ValueError: bad header",
        "breaks",
    ) in said
    assert ("ERROR", "task 'breaks' failed after 2 attempts: ValueError: bad header", "breaks") in said
    assert ("ERROR", "task 'items[0]' failed: KeyError: 1", "items[0]") in said
    assert (said[-1][0], said[-1][2]) == ("ERROR", None)
    assert said[-1][1].startswith("run of 'fails' failed after ")


def test_the_death_of_a_worker_is_a_warning(kept: Kept, tmp_path: Any) -> None:
    with workflow("dies") as wf:

        @task(max_retries=1)
        def dies() -> None:
            try:
                (tmp_path / "once").touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

        dies
    wf.execute(executor="process")
    (warning,) = [each for each in kept.of_runs() if each[0] == "WARNING"]
    assert "task 'dies' failed in attempt 1, and is tried again" in warning[1]
    assert "WorkerCrashedError" in warning[1]
    assert "SIGKILL" in warning[1]


@pytest.mark.parametrize(
    ("how", "level", "words"),
    [("terminate", "INFO", "was terminated"), ("cancel", "WARNING", "was cancelled"), ("", "INFO", "completed")],
)
def test_how_a_run_ended_has_its_level(how: str, level: str, words: str, kept: Kept) -> None:
    with workflow("ends") as wf:

        @task(inject_context=True)
        def ends(ctx: Any) -> None:
            if how:
                getattr(ctx, f"{how}_workflow")("enough")

    if how == "cancel":
        with pytest.raises(GraflowRuntimeError):
            wf.execute(executor="inline")
    else:
        wf.execute(executor="inline")
    last = kept.of_runs()[-1]
    assert last[0] == level
    assert last[1].startswith(f"run of 'ends' {words} after ")


def test_a_handler_that_raises_does_not_end_the_run(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    def refuses(record: logging.LogRecord) -> bool:
        raise OSError("no disk")

    logger = logging.getLogger("graflow_fast")
    logger.addFilter(refuses)
    try:
        with workflow("refused") as wf:

            @task(max_retries=1, inject_context=True)
            def once(ctx: Any) -> int:
                if ctx.retry_count == 0:
                    raise ValueError
                return 7

        assert wf.execute(executor="inline") == 7
    finally:
        logger.removeFilter(refuses)
    assert capsys.readouterr().err.count("OSError: no disk") == 3


def test_a_level_that_is_not_heard_says_nothing(kept: Kept) -> None:
    logger = logging.getLogger("graflow_fast")
    logger.setLevel(logging.ERROR)
    try:
        application().execute(executor="inline")
    finally:
        logger.setLevel(logging.NOTSET)
    assert kept.of_runs() == []
    assert len(kept.of_bodies()) == 9


def test_the_factory_of_records_is_the_program_s_again_behind_a_run(kept: Kept) -> None:
    usual = logging.getLogRecordFactory()

    def numbered(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = usual(*arguments, **options)
        record.number = 7
        return record

    logging.setLogRecordFactory(numbered)
    try:
        application().execute(executor="thread")
        assert logging.getLogRecordFactory() is numbered
        assert {getattr(record, "number", None) for record in kept.records} == {7}
        logging.info("outside")
        assert task_of(kept.records[-1]) is None
    finally:
        logging.setLogRecordFactory(usual)


def test_runs_within_and_beside_runs_leave_the_factory(kept: Kept) -> None:
    usual = logging.getLogRecordFactory()

    @task
    def outer() -> None:
        application().execute(executor="inline")
        logging.info("behind")

    with workflow("around") as around:
        around.add_node("outer", outer)
    beside = application().start(executor="thread")
    around.execute(executor="inline")
    beside.result()
    assert ("behind", "outer") in kept.of_bodies()
    assert kept.of_bodies().count(("plain", "plain")) == 2
    assert logging.getLogRecordFactory() is usual


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_program_without_handlers_sees_nothing(executor: str, tmp_path: Any) -> None:
    program = tmp_path / "silent.py"
    program.write_text(
        "import sys\n"
        "from graflow_fast import task, workflow\n"
        "def main():\n"
        "    with workflow('silent') as wf:\n"
        "        @task(max_retries=1)\n"
        "        def fails(): raise ValueError\n"
        "        fails\n"
        "        try: wf.execute(executor=sys.argv[1])\n"
        "        except Exception as error: print(type(error).__name__)\n"
        "if sys.argv[2] == 'logs': import logging\n"
        "if __name__ == '__main__': main()\n"
    )
    for logs in ("logs", "not"):
        done = subprocess.run([sys.executable, program, executor, logs], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("RetryLimitExceededError\n", "")


def test_a_run_in_the_calling_thread_does_not_import_logging() -> None:
    program = (
        "import sys\nfrom graflow_fast import task, workflow\n"
        "with workflow('w') as wf:\n"
        "    @task\n"
        "    def a(): pass\n"
        "    wf.execute(executor='inline')\n"
        "print('logging' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_format_that_asks_for_attributes_of_the_programs_own(capfd: pytest.CaptureFixture[str]) -> None:
    code = """
import logging, sys
from graflow_fast import task, workflow
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s order=%(order)s")
with workflow("shop") as wf:
    @task
    def book():
        logging.getLogger("shop").info("booked", extra={"order": {"id": 7}})
    wf.execute(executor="process")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    out, err = capfd.readouterr()
    assert err == ""
    assert "booked order={'id': 7}\n" in out
    assert "run of 'shop' begins" in out
    assert out.count("order=-") == 2
