"""Each kind of captured value whose change is lost is told; what is a cache, or a task's own, is not.

The programs are like a user's script: their classes belong to it, and cross by value.
"""

from __future__ import annotations

import functools
import random
import warnings
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._worker import mutations
from graflow_fast.exceptions import LostMutationWarning

CLASSES = """
import collections, dataclasses, enum, functools, io, itertools, logging, random, threading, types, typing
class Slots:
    __slots__ = ("n", "items")
    def __init__(self): self.n, self.items = 0, []
    def add(self): self.n += 1
class MoreSlots(Slots):
    __slots__ = ("more",)
class Stats:
    total = 0
    seen = []
    def __init__(self): self.n, self.deep = 0, {"a": [{"b": Slots()}]}
    def add(self, *others): self.n += 1
    def __call__(self): self.n += 1
    @classmethod
    def count(cls): cls.total += 1
    def note(self): Stats.seen.append(1)
class Child(Stats):
    pass
@dataclasses.dataclass
class Data:
    x: int = 0
    rows: list = dataclasses.field(default_factory=list)
class Picky:
    def __init__(self): self.n, self.file = 0, object()
    def __getstate__(self): return {"n": self.n}
    def __setstate__(self, state): self.__dict__.update(state)
class Pair(typing.NamedTuple):
    first: list
class Names(dict):
    pass
class Color(enum.Enum):
    RED = 1
class Lazy:
    def __init__(self): self._net = None
    def net(self):
        if self._net is None:
            self._net = [1]
        return self._net
    @functools.cached_property
    def slow(self): return [1]
    @property
    def made(self):
        try:
            return self._made
        except AttributeError:
            self._made = 1
            return 1
def helper(): helper.calls = getattr(helper, "calls", 0) + 1
@functools.cache
def cached(n): return [n]
"""

#: What is captured, what the body does, and how the warning names it ("": as it is captured).
TOLD = {
    "object": ("x = Stats()", "x.n += 1", ""),
    "object by its method": ("x = Stats()", "x.add()", ""),
    "object deep inside": ("x = Stats()", 'x.deep["a"][0]["b"].n = 5', ""),
    "new attribute": ("x = Stats()", 'setattr(x, "new", 1)', ""),
    "slots": ("x = Slots()", "x.n += 1", ""),
    "list in slots": ("x = Slots()", "x.items.append(1)", ""),
    "inherited slots": ("x = MoreSlots()", "x.more = 1", ""),
    "dataclass": ("x = Data()", "x.rows.append(1)", ""),
    "own pickling": ("x = Picky()", "x.n += 1", ""),
    "named tuple": ("x = Pair([])", "x.first.append(1)", ""),
    "tuple": ("x = ([], 1)", "x[0].append(1)", ""),
    "subclass of dict": ("x = Names()", 'x["a"] = 1', ""),
    "namespace": ("x = types.SimpleNamespace(a=1)", "x.a += 1", ""),
    "namespace inside": ("x = types.SimpleNamespace(a=types.SimpleNamespace(b=[]))", "x.a.b.append(1)", ""),
    "nested containers": ('x = {"a": {"b": [{"c": {1}}]}}', 'x["a"]["b"][0]["c"].add(2)', ""),
    "attribute of a class": ("", "Stats.total += 1", "Stats.total"),
    "new attribute of a class": ("", "Stats.last = 1", "Stats.last"),
    "attribute of the class of an object": ("x = Stats()", "type(x).total = 7", "Stats.total"),
    "list of a class": ("", "Stats.seen.append(1)", "Stats.seen"),
    "list of a class by a method": ("x = Stats()", "x.note()", "Stats.seen"),
    "attribute by a class method": ("", "Stats.count()", "Stats.total"),
    "list of a base class": ("x = Child()", "x.note()", "Stats.seen"),
    "attribute of a function": ("", "helper()", "helper.calls"),
    "callback": ("x = Stats().add", "x()", ""),
    "method of a list": ("x = [].append", "x(1)", ""),
    "partial": ("x = functools.partial(list.append, [])", "x(1)", ""),
    "count": ("x = itertools.count()", "next(x)", ""),
    "cycle": ("x = itertools.cycle([1, 2])", "next(x)", ""),
    "iterator": ("x = iter([1, 2])", "next(x)", ""),
    "iterator of a dict": ("x = iter({1: 2})", "next(x)", ""),
    "enumerate": ("x = enumerate([1, 2])", "next(x)", ""),
    "zip": ("x = zip([1, 2], [3, 4])", "next(x)", ""),
    "deque": ("x = collections.deque()", "x.append(1)", ""),
    "ordered dict": ("x = collections.OrderedDict(a=1, b=2)", 'x.move_to_end("a")', ""),
    "default dict": ("x = collections.defaultdict(list)", 'x["a"].append(1)', ""),
    "counter": ("x = collections.Counter()", 'x["a"] += 1', ""),
    "chain map": ("x = collections.ChainMap({})", 'x["a"] = 1', ""),
    "user list": ("x = collections.UserList()", "x.append(1)", ""),
    "text in memory": ("x = io.StringIO()", 'x.write("a")', ""),
    "memo that a dictionary keeps": ("x = {}", "x[1] = x[1] if 1 in x else 2", ""),
    "attribute of a large object": ("x = types.SimpleNamespace(a='a' * 100_000)", "x.a = 1", ""),
    "attribute of a large object of the script": ("x = Stats(); x.text = 'a' * 100_000", "x.n += 1", ""),
    "item of a large list": ("x = [0] * 5000", "x[3] = 1", ""),
    "item of a large dict": ("x = dict.fromkeys(range(5000))", "x[3] = 1", ""),
}

KEPT = {
    "global that its reader makes": ("x = None", "global x\n  if x is None: x = [1]"),
    "global that was not there": ("", "global made\n  try: made\n  except NameError: made = [1]"),
    "attribute that its reader makes": ("x = Lazy()", "x.net(); x.slow; x.made"),
    "cache of a function": ("", "cached(1)"),
    "own objects": ("", "x = Stats(); x.add(); x.note; y = Slots(); y.items.append(1); Data().rows.append(1)"),
    "logger": ("x = logging.getLogger()", "x.info(1)"),
    "what is only read": ('x = {"a": [Stats()]}', 'x["a"][0].n, sorted(x), Stats.total, Color.RED'),
    "generator of random numbers": ("x = random.Random(1)", "x.random()"),
    "equal number": ("x = 1000", "global x\n  x = int('1000')"),
}


def program(setup: str, body: str, capture: str, line: int = 0) -> dict[str, Any]:
    """Return the variables of a script with a function `body`, which captures `x` in one way or the other.

    Those on different lines are told apart when the same is lost in several.
    """
    script: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(CLASSES, script)
    if capture == "global":
        exec("\n" * line + f"{setup}\ndef body(item=None):\n  {body}", script)
    else:
        lines = f"  {setup or 'x = None'}\n  def body(item=None):\n    {body}\n  return body"
        exec("\n" * line + f"def make():\n{lines}\nbody = make()", script)
    return script


def lost(wf: Any, **options: Any) -> tuple[Any, list[LostMutationWarning]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, context = wf.execute(executor="process", max_workers=1, ret_context=True, **options)
    return context, [entry.message for entry in caught if entry.category is LostMutationWarning]


@functools.cache
def told(capture: str, shape: str) -> dict[str, list[tuple[str, ...]]]:
    """Return what is told of each kind, all of them run as members of one group."""
    members = []
    with workflow("told") as wf:
        for number, (setup, body, _) in enumerate(TOLD.values()):
            made = task(id=f"body{number}")(program(setup, body, capture, number)["body"])
            member = made(task_id=f"t{number}", item=1) if shape == "member" else made.map([1], task_id=f"t{number}")
            members.append(member)
        parallel(*members).set_group_name("all")
    found: dict[str, list[tuple[str, ...]]] = {kind: [] for kind in TOLD}
    kinds = list(TOLD)
    for message in lost(wf, start_node="all")[1]:
        found[kinds[int(message.task_id[1:])]].append(message.variables)
    return found


@pytest.mark.parametrize("shape", ["member", "item"])
@pytest.mark.parametrize("capture", ["global", "closure"])
@pytest.mark.parametrize("kind", TOLD)
def test_a_change_is_told_with_task_and_variable(kind: str, capture: str, shape: str) -> None:
    assert told(capture, shape)[kind] == [(TOLD[kind][2] or "x",)]


@pytest.mark.parametrize("body", ["Stats().add", "Slots().add", "Stats()"])
def test_a_method_or_an_object_as_a_body_is_watched(body: str) -> None:
    script = program("", "pass", "global")
    with workflow("methods") as wf:
        parallel(task(id="t")(eval(body, script)), task(id="other")(lambda: None))
    assert [message.variables for message in lost(wf)[1]] == [("self",)]


@pytest.mark.parametrize("kind", KEPT)
def test_what_a_task_may_keep_is_not_told(kind: str) -> None:
    setup, body = KEPT[kind]
    script = program(setup, body, "global")
    with workflow("kept") as wf:
        script["body"].__defaults__ = None if kind == "own objects" else script["body"].__defaults__
        made = task(id="body")(script["body"])
        parallel(*(made(task_id=f"t{number}", item=1) for number in range(3)))
    assert lost(wf)[1] == []


@pytest.mark.parametrize("shape", ["member", "item"])
def test_a_lazily_made_global_is_kept_from_task_to_task(shape: str, capfd: pytest.CaptureFixture[str]) -> None:
    """By a function that the body calls, in a script: it is made once in a worker."""
    script: dict[str, Any] = {"__name__": "__main__"}
    make = "made = None\ndef model():\n  global made\n  if made is None: made = print('made') or [1]\n  return made\n"
    exec(f"{make}def body(n):\n  return model()\n", script)
    with workflow("lazy") as wf:
        first = task(id="body")(script["body"])
        if shape == "item":
            first.map(range(20), chunk=1)
        else:
            parallel(*(first(task_id=f"t{number}", n=number) for number in range(20)))
    assert lost(wf)[1] == []
    assert capfd.readouterr().out == "made\n"


def test_a_lazily_made_global_that_changes_again_is_told() -> None:
    script: dict[str, Any] = {"__name__": "__main__"}
    exec("best = None\ndef body(n):\n  global best\n  if best is None or n > best:\n    best = n\n", script)
    with workflow("best") as wf:
        made = task(id="body")(script["body"])
        parallel(*(made(task_id=f"t{number}", n=number) for number in range(3)))
    assert {message.variables for message in lost(wf)[1]} == {("best",)}


def generators() -> list[str]:
    return ["random.Random(7)", "numpy.random.default_rng(7)", "numpy.random.RandomState(7)"]


@pytest.mark.parametrize("shape", ["members", "items"])
@pytest.mark.parametrize("make", generators())
def test_each_task_has_random_numbers_of_its_own(make: str, shape: str) -> None:
    """The same for any number of workers, none twice, and nothing is told."""
    if "numpy" in make:
        pytest.importorskip("numpy")
    found = []
    for workers in (1, 2, 2):
        script: dict[str, Any] = {"__name__": "__main__"}
        exec(f"import random\ntry: import numpy\nexcept ImportError: pass\ngenerator = {make}", script)
        exec(
            "def body(n): return float(generator.random_sample() if hasattr(generator, 'random_sample') else "
            "generator.random())",
            script,
        )
        with workflow("random") as wf:
            made = task(id="body")(script["body"])
            if shape == "items":
                made.map(range(30), task_id="m")
            else:
                members = [made(task_id=f"t{number}", n=number) for number in range(30)]
                parallel(*members)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            _, context = wf.execute(executor="process", max_workers=workers, ret_context=True)
        if shape == "items":
            found.append(context.get_result("m"))
        else:
            found.append([context.get_result(f"t{number}") for number in range(30)])
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 30


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], {"a": [1, {"b": 2}]}, "an object"])
def test_a_look_at_a_small_value_costs_no_pickle(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script = program("x = Stats()", "x.n", "global")
    if value == "an object":
        script["x"].deep = None
    else:
        script["x"] = value
    watch = mutations.watch(script["body"])
    assert watch is not None
    walked: list[Any] = []
    monkeypatch.setattr(mutations._fingerprints()._Walk, "parts", lambda self, value: walked.append(value))
    assert watch.changed() == []
    assert walked == []


def test_a_body_that_captures_nothing_that_can_change_is_not_watched() -> None:
    assert mutations.watch(lambda: random.random() + len("abc")) is None
