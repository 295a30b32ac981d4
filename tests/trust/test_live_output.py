"""output="live": what a body says is seen while it runs, wherever it runs, once, and nothing is lost when it dies."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter

import pytest

from graflow_fast import parallel, task, workflow


class Seen:
    """A text stream that creates a file when a word comes by."""

    def __init__(self, path, words):
        self.path = path
        self.words = words
        self.text = ""

    def write(self, text):
        self.text += text
        for word in self.words:
            if word in self.text:
                (self.path / word).touch()
        return len(text)

    def flush(self):
        pass


def wait_for(path):
    """In the body: until the program has seen the word."""
    deadline = time.monotonic() + 4
    while not path.exists():
        assert time.monotonic() < deadline, "nobody has seen it"
        time.sleep(0.002)


def prints(path):
    print("begun")
    wait_for(path / "begun")
    print("and more")


def prints_an_error(path):
    print("begun", file=sys.stderr)
    wait_for(path / "begun")


def logs(path):
    logging.getLogger("live").warning("begun")
    wait_for(path / "begun")


def warns(path):
    warnings.warn("begun", UserWarning, stacklevel=1)
    wait_for(path / "begun")


def writes(path):
    os.write(1, "begun ä\n".encode())
    wait_for(path / "begun")


def starts_a_program(path):
    subprocess.run(["sh", "-c", f"echo begun; while [ ! -e {path}/begun ]; do sleep 0.01; done"], check=True)


EVERYWHERE = [prints, prints_an_error, logs, warns, writes, starts_a_program]


@pytest.fixture
def seen(tmp_path):
    return Seen(tmp_path, ["begun"])


def execute(seen, wf, *arguments, **options):
    """Run with everything shown in that stream (in the test itself: pytest puts its own streams back before)."""
    handler = logging.StreamHandler(seen)
    handler.addFilter(lambda record: record.name != "graflow_fast")  # what bodies say, not what the run says
    logging.getLogger().addHandler(handler)
    outer = sys.stdout, sys.stderr, warnings.showwarning
    sys.stdout = sys.stderr = seen
    warnings.showwarning = lambda message, *_: seen.write(f"{message}\n")
    try:
        wf.execute(*arguments, **options)
    finally:
        sys.stdout, sys.stderr, warnings.showwarning = outer
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("body", EVERYWHERE)
def test_in_the_pool(seen, body):
    with workflow("live") as wf:
        task(id="first")(lambda: None) >> task(id="says")(lambda: body(seen.path))
    execute(seen, wf, "first", executor="process", max_workers=1, output="live")
    assert seen.text.count("begun") == 1


@pytest.mark.parametrize("executor", ["auto", "thread", "process"])
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_later_members_of_a_group(seen, executor, schedule):
    """Its turn would come last."""
    with workflow("live") as wf:
        task(id="waits")(lambda: wait_for(seen.path / "begun")) | task(id="says")(lambda: prints(seen.path))
    execute(seen, wf, executor=executor, max_workers=2, output="live", schedule=schedule)
    assert seen.text.count("begun") == seen.text.count("and more") == 1


@pytest.mark.parametrize("executor", ["auto", "thread"])
def test_items_of_a_map(seen, executor):
    def says(item):
        if item == 1:
            prints(seen.path)
        else:
            wait_for(seen.path / "begun")

    with workflow("live") as wf:
        task(id="says")(says).map([0, 1])
    execute(seen, wf, executor=executor, max_workers=2, output="live")
    assert seen.text.count("begun") == seen.text.count("and more") == 1


@pytest.mark.parametrize("executor", ["auto", "process", "thread", "inline"])
def test_everything_arrives_once(executor, capsys):
    def says(number):
        chance = random.Random(number)
        for line in range(chance.randrange(20)):
            print(f"{number}:{line}")
            if chance.random() < 0.3:
                os.write(1, f"{number}+{line}\n".encode()) if executor in ("auto", "process") else None
            time.sleep(chance.choice([0, 0, 0.01]))

    with workflow("live") as wf:
        made = task(id="says")(says)
        parallel(*(made(task_id=f"s{number}", number=number) for number in range(60))) >> task(id="end")(
            lambda: print("end")
        )
    wf.execute(executor=executor, max_workers=2, output="live")
    live = capsys.readouterr().out.splitlines()
    wf.execute(executor=executor, max_workers=2)
    assert Counter(live) == Counter(capsys.readouterr().out.splitlines())
    assert live[-1] == "end"


def test_before_a_crash_and_again_with_the_retry(tmp_path):
    seen = Seen(tmp_path, ["once", "around"])

    @task(max_retries=1)
    def says():
        print("once", flush=True)
        os.write(1, b"around\n")
        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            wait_for(tmp_path / "once")
            wait_for(tmp_path / "around")
            os.kill(os.getpid(), signal.SIGKILL)
        print("survived")

    with workflow("live") as wf:
        says
    execute(seen, wf, executor="process", max_workers=1, output="live")
    assert seen.text.splitlines() == ["once", "around", "once", "around", "survived"]


def test_a_chain_is_shown_step_by_step(seen):
    """No step waits for those that could be done in one go with it."""
    with workflow("live") as wf:
        task(id="a")(lambda: print("begun")) >> task(id="b")(lambda: wait_for(seen.path / "begun"))
    execute(seen, wf, executor="process", max_workers=1, output="live")


def test_ordered_output_waits(seen):
    """The default: what a later member says waits for its turn."""
    said = seen.path / "said"
    with workflow("ordered") as wf:
        task(id="first")(lambda: wait_for(said) or print("first")) | task(id="second")(
            lambda: print("begun") or said.touch()
        )
    execute(seen, wf, max_workers=2)
    assert seen.text == "first\nbegun\n"


def test_lines_of_workers_are_whole(seen):
    """The beginning of a line is shown when it ends or is flushed."""

    def prints(path):
        print("begun", end="", flush=True)
        wait_for(path / "begun")
        print()
        print("half", end=" ")
        time.sleep(0.3)
        assert not (path / "half").exists()
        print("whole")

    with workflow("live") as wf:
        task(id="a")(lambda: prints(seen.path))
    seen.words.append("half")
    execute(seen, wf, executor="process", max_workers=1, output="live")
    assert seen.text == "begun\nhalf whole\n"


def test_lines_of_threads_are_whole(seen):
    """Two bodies that print at the same time do not mix their lines; what is flushed is shown at once."""
    both = threading.Barrier(2, timeout=10)

    def says(name):
        print(name, end=" ")
        both.wait()
        print("says", "something")
        both.wait()
        if name == "a":
            print("begun", end="", flush=True)
            wait_for(seen.path / "begun")
            print()

    with workflow("live") as wf:
        made = task(says)
        made(task_id="a", name="a") | made(task_id="b", name="b")
    execute(seen, wf, executor="thread", max_workers=2, output="live")
    assert sorted(seen.text.splitlines()) == ["a says something", "b says something", "begun"]
