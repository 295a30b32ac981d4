"""Programs of their own, one after another: what one has kept, the next one finds, wherever its bodies run."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from graflow_fast import task, workflow
from noting import note
class Row:
    def __init__(self, x): self.x = x
    def __eq__(self, other): return type(other) is Row and self.x == other.x
{helper}
with workflow("program") as wf:
    @task(cache=True)
    def first(names={{"b", "a", "c"}}):
        note("first")
        return {{Row(1).x: {{"x", "y"}}, "rows": [Row(2)]}}
    @task(cache=True)
    def second(first):
        note("second")
        return helper(first["rows"][0])
    @task(cache=True, inject_context=True)
    def third(ctx, second):
        note("third")
        @task
        def inner():
            return Row(second.x + 3)
        ctx.next_task(inner)
    first >> second >> third
if __name__ == "__main__":
    assert wf.execute(executor=sys.argv[1], max_workers=1) == Row(5)
"""


def test_another_process_hash_seed_and_directory_finds_it(calls, tmp_path):
    def program(executor, seed, helper="def helper(x): return x"):
        place = tmp_path / f"in{seed}"
        place.mkdir(exist_ok=True)
        (place / "program.py").write_text(PROGRAM.format(tests=os.path.dirname(__file__), helper=helper))
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "program.py", executor], cwd=place, env=environment, check=True)
        return calls.taken()

    assert program("process", "0") == ["first", "second", "third"]
    assert program("inline", "1") == []
    assert program("process", "77", "# moved\n\ndef helper(x):\n    '''Said.'''\n    return x") == []
    assert program("inline", "0", "def helper(x): return [x][0]") == ["second"]


KINDS = """
import dataclasses, enum, sys
sys.path.insert(0, {tests!r})
from graflow_fast import task, workflow
from noting import note
class Color(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Point:
    x: int
class Slotted:
    __slots__ = ("q",)
    def __init__(self, q): self.q = q
class Listed(list): pass
values = [Color.RED, Point(1), Slotted([Point(2)]), Listed([1]), Point, lambda x: x + 1]
with workflow("kinds") as wf:
    @task(cache=True)
    def give(value):
        note("give")
        return value
    tasks = [give(task_id=f"t{{n}}", value=value) for n, value in enumerate(values)]
    for one, other in zip(tasks, tasks[1:]):
        one >> other
if __name__ == "__main__":
    _, context = wf.execute(executor=sys.argv[1], max_workers=1, ret_context=True)
    for n, value in enumerate(values):
        assert type(context.get_result(f"t{{n}}")) is type(value), value
    assert context.get_result("t4") is Point
    assert type(context.get_result("t2").q[0]) is Point
"""


def test_values_of_classes_that_the_body_does_not_name_are_found_again(calls, tmp_path):
    (tmp_path / "kinds.py").write_text(KINDS.format(tests=os.path.dirname(__file__)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for executor, ran in (("process", 6), ("inline", 0), ("process", 0)):
        done = [sys.executable, "-W", "error", "kinds.py", executor]
        subprocess.run(done, cwd=tmp_path, env=environment, check=True)
        assert len(calls.taken()) == ran
