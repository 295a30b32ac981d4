"""What a worker can't load gives each task that names it the same reason, not only the first."""

import subprocess
import sys

PROGRAM = """
import os
from graflow_fast import parallel, task, workflow

MAIN = os.getpid()


def make():
    if os.getpid() != MAIN:
        raise ValueError("only in the main process")
    return Picky()


class Picky:
    def __reduce__(self):
        return make, ()


class Sharing:
    items = []

    def count(self):
        return len(self.items)


picky = Picky()
both = [Sharing.items, Sharing(), picky]


@task
def one(n):
    return picky is not None


@task
def two(n):
    return str(picky)


@task
def three(n):
    return both[1].count()


@task
def four(n):
    return "fine"


members = [made(task_id=f"{made._definition.name}_{n}", n=n) for made in (one, two, three, four) for n in range(2)]
with workflow("w") as wf:
    parallel(*members).with_execution(policy="best_effort").set_group_name("g")
    _, context = wf.execute("g", executor="process", max_workers=1, ret_context=True)
    print(context.get_result("four_0"), context.get_result("four_1"))
with workflow("w2") as wf:
    parallel(*[made(task_id=f"{made._definition.name}_{n}", n=n) for made in (one, two, three) for n in range(2)])
    try:
        wf.execute(executor="process", max_workers=1)
    except Exception as error:
        for name, text in error.failed_tasks:
            print(name, "only in the main process" in text)
"""


def test_every_task_hears_the_reason(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout.splitlines() == [
        "fine fine",
        *[f"{name}_{number} True" for name in ("one", "two", "three") for number in range(2)],
    ], done.stdout + done.stderr
