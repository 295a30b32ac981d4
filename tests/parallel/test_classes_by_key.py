"""Classes of the program's own file: an instance costs what an importable class's does, and stays what it is."""

import datetime
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._wire import crossing

PROGRAM = Path(__file__).with_name("own_classes.py")


@pytest.fixture(scope="module")
def answers():
    """What a program says of its own classes, by executor."""
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, timeout=110)
    told = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert len(told) == 1, done.stderr
    assert "Task 'count' changed 'COUNT'" in told[0]  # which its class counts in, too
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    return {
        executor: {name: rest for kind, name, rest in lines if kind == executor} for executor in ("inline", "process")
    }


def test_every_question_was_asked(answers):
    assert len(answers["inline"]) >= 12


NAMES = [line.split("id=")[1].split('"')[1] for line in PROGRAM.read_text().splitlines() if line.startswith("@task(")]


@pytest.mark.parametrize("name", NAMES)
def test_workers_answer_as_the_calling_process_does(answers, name):
    assert answers["process"][name] == answers["inline"][name]


def test_what_comes_back_is_of_the_original_class(answers):
    assert answers["process"]["original"] == "True True True True True"


class Core:
    """A pool without workers."""

    def define(self, key, blob):
        pass

    share = define
    forget = backlog = lambda self, key=0: 0


def test_an_instance_takes_little_more_than_one_of_an_importable_class():
    class Own:
        def __init__(self, x):
            self.x = x

        def method(self):
            return [self.x] * 100

    table = DefinitionTable(Core())
    data = crossing.dumps(Own(1))
    assert len(data) < 200
    found = pickle.loads(data)
    assert type(found) is Own
    assert found.x == 1
    assert table is not None


@pytest.mark.parametrize(
    "value",
    [Path("/a"), Fraction(1, 3), [Path("/a")] * 100, {1, 2}, {"p": Path("/a")}, datetime.date(2026, 1, 1)],
    ids=str,
)
def test_values_of_importable_classes_are_as_pickle_makes_them(value):
    assert crossing.dumps(value) == pickle.dumps(value, protocol=5)


def test_what_only_looks_as_if_it_needed_our_rules_crosses_too():
    value = {"text": "__main__", "path": Path("/graflow_fast/__main__")}
    assert crossing.loads(crossing.dumps(value)) == value


def test_a_class_that_is_gone_is_said_to_be():
    def make():
        class Own:
            pass

        return crossing.dumps(Own())

    table = DefinitionTable(Core())
    data = make()
    import gc

    gc.collect()
    with pytest.raises(LookupError, match="is not known here any more"):
        pickle.loads(data)
    assert table is not None


SAVED = """
import sys
from dataclasses import dataclass
from graflow_fast import task, workflow

@dataclass
class Point:
    x: int

with workflow("w") as wf:

    @task
    def made():
        return [Point(1), {"p": Point(2)}]

    _, context = wf.execute(executor="process", max_workers=1, ret_context=True)
    context.save(sys.argv[1])
"""

LOADED = """
import sys
from graflow_fast.core.context import ExecutionContext
print(ExecutionContext.load(sys.argv[1]).get_result("made"))
"""


def test_results_that_nobody_has_read_are_in_a_checkpoint_by_value(tmp_path):
    script, file = tmp_path / "program.py", tmp_path / "saved"
    script.write_text(SAVED)
    subprocess.run([sys.executable, script, file], check=True, timeout=110)
    done = subprocess.run([sys.executable, "-c", LOADED, file], capture_output=True, text=True, timeout=110)
    assert done.stdout == "[Point(x=1), {'p': Point(x=2)}]\n", done.stderr


CHANGING = """
from graflow_fast import parallel, task, workflow

class Config:
    size = 1
    seen = []
    def get(self):
        return self.size, len(self.seen), scale()

def scale():
    return FACTOR

FACTOR = 1

with workflow("w") as wf:

    @task
    def show(config):
        return config.get()

    parallel(*[show(task_id=f"s{n}", config=Config()) for n in range(4)])

def run():
    _, context = wf.execute(executor="process", max_workers=2, ret_context=True)
    (answer,) = {context.get_result(f"s{n}") for n in range(4)}
    print(answer, answer == Config().get())

run()
Config.size = 2
run()
Config.seen.append(1)
run()
FACTOR = 3
run()
def scale():
    return FACTOR * 2
run()
with workflow("other") as wf:
    parallel(*[show(task_id=f"s{n}", config=Config()) for n in range(4)])
def run():
    _, context = wf.execute(executor="process", max_workers=3, ret_context=True)
    print({context.get_result(f"s{n}") for n in range(4)})
run()
"""


def test_what_changes_in_a_class_or_in_what_its_methods_name_is_seen_by_instances(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(CHANGING)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout.splitlines() == [
        "(1, 0, 1) True",
        "(2, 0, 1) True",
        "(2, 1, 1) True",
        "(2, 1, 3) True",
        "(2, 1, 6) True",
        "{(2, 1, 6)}",
    ], done.stderr


PASSED_ON = """
from dataclasses import dataclass
from graflow_fast import parallel, task, workflow

@dataclass
class Point:
    x: int

with workflow("w") as wf:

    @task
    def made():
        return Point(1)

    made()
    _, context = wf.execute("made", executor="process", max_workers=1, ret_context=True)

with workflow("other") as wf:

    @task(inject_context=True)
    def read(context):
        found = context.get_channel().get("given")
        return type(found).__name__, found.x

    parallel(read(task_id="a"), read(task_id="b"))
    raw = context.channel.data["made.__result__"]
    _, context = wf.execute(executor="process", max_workers=3, ret_context=True, initial_channel={"given": raw})
    print(context.get_result("a"), context.get_result("b"))
"""


def test_values_go_from_one_pool_to_another(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PASSED_ON)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout == "('Point', 1) ('Point', 1)\n", done.stderr


SHARING = """
from graflow_fast import parallel, task, workflow


class Stats:
    seen = []

    def add(self):
        self.seen.append(1)


class Sub(Stats):
    table = {"a": 1}


x = [Stats.seen, Stats(), Sub.table, Sub]
y = {"table": Sub.table, "x": x, "instance": Stats()}
Stats.back = x
add = Stats().add


@task
def one(i):
    return x[0] is Stats.seen, y["x"] is x, y["table"] is Sub.table, Stats.back is x, isinstance(y["instance"], Stats)


@task
def two(i):
    return y["table"] is Sub.table, add.__func__ is Stats.add, x[3].__mro__[1] is Stats


with workflow("sharing") as wf:
    parallel(one(task_id="one_1", i=1), two(task_id="two_1", i=1))
    _, context = wf.execute(executor="process", max_workers=1, ret_context=True)
    print(context.get_result("one_1"), context.get_result("two_1"))
"""


def test_a_class_and_a_value_that_name_each_other_share_what_they_share(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(SHARING)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout == "(True, True, True, True, True) (True, True, True)\n", done.stderr
