"""Programs as people type them: ``python -c``, standard input, the prompt, a notebook. No guard, no module file."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[[str], "subprocess.CompletedProcess[str]"]

MARKER = uuid.uuid4().hex
HEAD = "from graflow_fast import parallel, task, workflow\n"


def python(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAFLOW_FAST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | {"USAGE_TEST": MARKER},
    )


@pytest.fixture(params=["command", "stdin", "ipython"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a program in each of the ways that have no file; the way of the Python prompt is tested below."""
    if request.param == "command":
        return lambda code: python("-c", HEAD + code)
    if request.param == "stdin":
        return lambda code: python("-", stdin=HEAD + code)
    if importlib.util.find_spec("IPython") is None:
        pytest.skip("IPython is not installed")
    return lambda code: python("-m", "IPython", "--quick", "--colors=NoColor", "-c", HEAD + code)


def output(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.stderr == ""
    assert finished.returncode == 0
    return finished.stdout


FUNCTIONS = """
import os

here = os.getpid()
factor = 3


def scaled(number):
    return number * factor


with workflow("functions", executor="process") as wf:

    @task
    def first():
        print("in another process:", os.getpid() != here)
        return scaled(2)

    @task
    def second(first):
        return first + 1

    first >> second
    print(wf.execute())
"""


def test_functions_and_globals(run: Run) -> None:
    """A body may use functions and values of the program that defines it."""
    assert output(run(FUNCTIONS)) == "in another process: True\n7\n"


def test_lambdas_and_closures(run: Run) -> None:
    """A body may be a lambda, or close over variables of the function that made it."""
    code = """
def adder(amount):
    def add(number):
        return number + amount
    return add

with workflow("closures", executor="process") as wf:
    number = task("number")(lambda: 40)
    number >> task("add")(adder(2))
    print(wf.execute())
"""
    assert output(run(code)) == "42\n"


def test_classes(run: Run) -> None:
    """Instances of a class of the program come back as instances of that class."""
    code = """
from dataclasses import dataclass

@dataclass
class Point:
    x: int

with workflow("classes", executor="process") as wf:
    @task
    def make():
        return Point(1)

    @task
    def look(make):
        return make, type(make) is Point

    make >> look
    point, same = wf.execute()
    print(point, type(point) is Point, point == Point(1), same)
"""
    assert output(run(code)) == "Point(x=1) True True True\n"


def test_group_under_the_default_executor(run: Run) -> None:
    """Members run in worker processes without anything being asked for."""
    code = """
import os

here = os.getpid()

with workflow("group") as wf:
    @task
    def member(number):
        print("member", number)
        return os.getpid() != here

    @task(inject_context=True)
    def gather(ctx):
        return [ctx.get_result(f"member_{number}") for number in range(3)]

    parallel(*[member(task_id=f"member_{number}", number=number) for number in range(3)]) >> gather
    print(wf.execute())
"""
    assert output(run(code)) == "member 0\nmember 1\nmember 2\n[True, True, True]\n"


def test_defined_again(run: Run) -> None:
    """Who edits a function and runs it again gets the new one, though workers are still warm from the old one."""
    code = """
for step in (1, 2, 3):
    exec(f"def body(): return {step}")
    with workflow("again", executor="process") as wf:
        task("body")(body)
        print(wf.execute())
"""
    assert output(run(code)) == "1\n2\n3\n"


def test_changed_global(run: Run) -> None:
    """A run sees the globals as they are when it starts."""
    code = """
amount = 1

@task
def tell():
    return amount

for amount in (10, 20):
    with workflow("global", executor="process") as wf:
        print(wf.execute("tell"))
"""
    assert output(run(code)) == "10\n20\n"


def test_names_with_a_typo(run: Run) -> None:
    """The message says what there is instead."""
    code = """
with workflow("typo") as wf:
    @task
    def download():
        pass

    tries = (("dowload", {}), ("download", {"executer": "process"}), ("download", {"executor": "proces"}))
    for start, options in tries:
        try:
            wf.execute(start, **options)
        except Exception as error:
            print(type(error).__name__, error)
"""
    lines = output(run(code)).splitlines()
    assert lines[0].startswith("GraphCompilationError Start node 'dowload'")
    assert lines[0].endswith("Did you mean 'download'?")
    assert lines[1] == "UnknownOptionError Unknown option 'executer'. Did you mean 'executor'?"
    assert lines[2] == "ConfigError executor='proces' is unknown. Did you mean 'process'?"


def test_node_with_a_typo(run: Run) -> None:
    """A jump to a name that nobody has fails with that name, from a worker process as well as inline."""
    code = """
for executor in ("inline", "process"):
    with workflow("jump", executor=executor) as wf:
        @task(inject_context=True)
        def risky(ctx):
            ctx.next_task(ctx.graph.get_node("emergancy"), goto=True)

        @task
        def emergency():
            pass

        try:
            wf.execute("risky")
        except Exception as error:
            print(type(error).__name__, type(error.__cause__).__name__, "emergancy" in str(error))
"""
    assert output(run(code)) == "GraflowRuntimeError KeyError True\n" * 2


CRASH = """
import os

with workflow("crash", executor="process") as wf:
    @task
    def fine():
        return 1

    @task
    def dies():
        os._exit(3)

    fine >> dies
    wf.execute()
"""


@pytest.mark.parametrize("way", ["-c", "-"])
def test_crash_is_a_named_error_and_nothing_else(way: str) -> None:
    """Only the caller's own traceback is printed: no output of the pool, the template process or the interpreter."""
    code = HEAD + CRASH
    finished = python("-c", code) if way == "-c" else python("-", stdin=code)
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.count("Traceback") == 1
    assert "WorkerCrashedError: The worker process running task 'dies' (attempt 1)" in finished.stderr
    assert "exit code 3" in finished.stderr


def test_the_program_goes_on_after_a_crash(run: Run) -> None:
    """After a crash the same program runs the next workflow; the pool has refilled itself."""
    code = CRASH.replace(
        "    wf.execute()",
        """
    for attempt in range(3):
        try:
            wf.execute()
        except Exception as error:
            print(type(error).__name__, error.task_id)
    print(wf.execute("fine", max_steps=1))
""",
    )
    code = "import warnings; warnings.simplefilter('ignore')\n" + code
    assert output(run(code)) == "WorkerCrashedError dies\n" * 3 + "1\n"


def test_python_prompt() -> None:
    """Lines typed at the prompt, each compiled by itself."""
    lines = """\
from graflow_fast import task, workflow
amount = 4
@task
def tell(): return amount

with workflow("one", executor="process") as wf: print("got", wf.execute())

amount = 5
with workflow("two", executor="process") as wf: print("got", wf.execute("tell"))

"""
    finished = python("-i", "-q", stdin=lines)
    assert finished.returncode == 0
    assert re.findall("got (.*)", finished.stdout) == ["4", "5"]
    assert "Traceback" not in finished.stderr


def test_module_of_the_user_beside_the_script(tmp_path: Path) -> None:
    """Workers import what the script can import, also from a path that it added itself."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "beside.py").write_text("def double(number): return 2 * number\n")
    (tmp_path / "lib" / "added.py").write_text("class Box:\n    def __init__(self, number): self.number = number\n")
    script = tmp_path / "script.py"
    script.write_text(
        HEAD
        + """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "lib"))
import added
import beside

with workflow("modules", executor="process") as wf:
    @task
    def box():
        return added.Box(beside.double(4))

    @task
    def opened(box: added.Box):
        return box.number, isinstance(box, added.Box)

    box >> opened
    print(wf.execute())
"""
    )
    assert output(python(str(script))) == "(8, True)\n"


def test_nothing_is_left_behind(run: Run) -> None:
    """When the program has ended, so have its processes, soon."""
    assert output(run(FUNCTIONS)).startswith("in another process: True")
    deadline = time.monotonic() + 10
    while left := processes_of(MARKER):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def processes_of(marker: str) -> list[str]:
    """Return the ids of running processes that inherited ``marker`` in their environment."""
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and marker.encode() in environment_of(pid)]


def environment_of(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""
