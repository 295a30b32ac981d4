"""What bodies say in a worker appears in the caller's program: prints, C output, subprocesses, logging, warnings."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import ctypes, logging, os, subprocess, sys, warnings
    from graflow_fast import parallel, task, workflow
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s", stream=sys.stderr, level=logging.INFO)

    @task
    def says(number):
        print("python", number)
        ctypes.CDLL(None).printf(b"no newline %d;", number)
        subprocess.run(["echo", f"child {number}"])
        os.write(1, f"descriptor {number}\\n".encode())
        print("error", number, file=sys.stderr)
        logging.getLogger("app.part").info("logged %d", number)
        logging.getLogger("app.part").debug("not shown")
        warnings.warn(f"warned {number}", DeprecationWarning)
        sys.stdout.write("no line end,")

    with workflow("forwarding") as wf:
        parallel(*(says(task_id=f"s{number}", number=number) for number in range(4)))
        wf.execute(max_workers=2, executor=sys.argv[1])
    print("\\nend")
    """
)


def run(executor, unbuffered=False):
    """Run the program in an environment that says itself whether Python and C buffer their output."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    if unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", PROGRAM, executor],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module", params=[False, True], ids=["buffered", "unbuffered"])
def outcome(request):
    return run("process", request.param)


def test_standard_output_by_task_in_member_order(outcome):
    """Within a task, too, all comes in the order in which it was said, by whomever."""
    expected = [f"python {n}\nno newline {n};child {n}\ndescriptor {n}\nno line end," for n in range(4)]
    assert outcome.stdout == "".join(expected) + "\nend\n"


def test_nothing_more_and_nothing_less_than_inline(outcome):
    assert sorted(run("inline").stdout) == sorted(outcome.stdout)


def test_standard_error_logging_and_warnings_in_order(outcome):
    every = [line for line in outcome.stderr.splitlines() if "warnings.warn" not in line]
    runs = [line for line in every if line.startswith("INFO graflow_fast ")]
    assert [every[0], every[-1]] == runs, "the run itself says when it begins and ends"
    lines = every[1:-1]
    for n in range(4):
        assert lines[3 * n] == f"error {n}"
        assert lines[3 * n + 1] == f"INFO app.part logged {n}"
        assert lines[3 * n + 2].endswith(f"DeprecationWarning: warned {n}")
    assert "not shown" not in outcome.stderr
