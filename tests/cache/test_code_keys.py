"""Keys of code: helpers of the user's own files count, transitively, and each change has a name."""

from __future__ import annotations

import functools
import importlib
import sys
import threading

import pytest

from graflow_fast._cache.code_keys import digest, parts_of
from graflow_fast._cache.value_keys import NoKeyError

FILES = {
    "job_one": "import job_two\nfrom job_two import LIMIT, Row\nimport math\n\n\n"
    "def body(x):\n    return job_two.middle(Row(x)) + LIMIT + math.pi\n",
    "job_two": "from job_three import norm\n\nLIMIT = 3\nOTHER = 4\nTABLE = {'a': [1]}\n\n\n"
    "class Row:\n    scale = 2\n\n    def __init__(self, x):\n        self.x = x\n\n    def size(self):\n"
    "        return self.x * self.scale\n\n\n"
    "def middle(row):\n    return norm(row.size()) + TABLE['a'][0]\n\n\ndef unused():\n    return 1\n",
    "job_three": "def norm(x):\n    from job_four import factor\n    return x / factor(x)\n",
    "job_four": "def factor(x):\n    return 2 if x else factor(not x)\n",
}


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Return a function that writes the files, with a change of one, and returns the parts of `job_one.body`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget():
        for name in FILES:
            sys.modules.pop(name, None)

    def found(name="job_one", old="", new=""):
        forget()
        for each, text in FILES.items():
            assert each != name or old in text
            changed = text.replace(old, new) if each == name and old else text
            (tmp_path / f"{each}.py").write_text(changed)
        importlib.invalidate_caches()
        return parts_of(importlib.import_module("job_one").body)

    yield found
    forget()


MISSES = [
    ("job_one", "math.pi", "math.e", "function job_one.body"),
    ("job_two", "LIMIT = 3", "LIMIT = 3.0", "LIMIT of function job_one.body"),
    ("job_two", "[1]", "[2]", "TABLE of function job_two.middle"),
    ("job_two", "scale = 2", "scale = 3", "class job_two.Row"),
    ("job_two", "self.x * self", "self.x + self", "function job_two.Row.size"),
    ("job_two", "norm(row", "norm(2 + row", "function job_two.middle"),
    ("job_three", "x / ", "x // ", "function job_three.norm"),
    ("job_four", "2 if", "3 if", "function job_four.factor"),
]

HITS = [
    ("job_one", "def body", "# said\n\n\ndef body"),
    ("job_one", "    return", "    '''Do it.'''\n    return"),
    ("job_two", "OTHER = 4", "OTHER = 5"),
    ("job_two", "return 1\n", "return 2\n"),
    ("job_two", "class Row:", "class Row:\n    '''A row.'''\n"),
    ("job_three", "    return x", "    # why\n\n    return x"),
    ("job_four", "def factor(x)", "def factor(\n    x,\n)"),
]


@pytest.mark.parametrize(("name", "old", "new", "part"), MISSES)
def test_a_change_of_what_is_named_is_a_change_of_that_part(parts, name, old, new, part):
    before, after = parts(), parts(name, old, new)
    assert [each for each in before if before[each].key != after[each].key] == [part]
    assert digest(before) != digest(after)


@pytest.mark.parametrize(("name", "old", "new"), HITS)
def test_cosmetics_and_what_is_not_named_change_nothing(parts, name, old, new):
    assert digest(parts()) == digest(parts(name, old, new))


def test_a_part_says_where_it_stands(parts):
    assert parts()["function job_two.middle"].where == "job_two.py:18"


def test_closures_and_defaults_count():
    def make(cell, default):
        def inner(x=default):
            return x + cell

        return inner

    keys = {digest(parts_of(make(*values))) for values in [(1, 2), (1, 2), (1, 3), (2, 2), (True, 2)]}
    assert len(keys) == 4


held = threading.Lock()


def test_a_global_without_content_is_refused_by_name():
    def body():
        return held

    with pytest.raises(NoKeyError, match=r"held of function .*body.* is a _thread.lock"):
        parts_of(body)


class Callable:
    def __init__(self, n):
        self.n = n

    def __call__(self):
        return self.n

    def method(self):
        return self.n


def inner(n):
    return n


@pytest.mark.parametrize("made", [lambda n: functools.partial(inner, n), Callable, lambda n: Callable(n).method])
def test_what_can_be_called_counts_with_what_it_holds(made):
    keys = {digest(parts_of(made(n))) for n in (1, 1, 2)}
    assert len(keys) == 2
    assert any("inner" in name or "Callable" in name for name in parts_of(made(1)))


MADE = {
    "made/one": "import contextlib, functools, operator\nimport made.inner.two\nfrom made.inner import three\n\n\n"
    "@contextlib.contextmanager\ndef opened():\n    yield 1\n\n\n"
    "@functools.singledispatch\ndef shown(x):\n    return 'x'\n\n\n"
    "@shown.register\ndef _(x: int):\n    return 'int'\n\n\n"
    "@functools.lru_cache(8)\ndef kept(x):\n    return x + 1\n\n\n"
    "class Table:\n    @functools.cached_property\n    def rows(self):\n        return [1]\n\n"
    "    @functools.partialmethod\n    def part(self):\n        return 2\n\n\n"
    "add = functools.partial(operator.add, 3)\n\n\n"
    "def body(x):\n    with opened() as one:\n"
    "        return one + kept(x) + made.inner.two.f() + three.g() + add(1) + len(shown(x)) + len(Table().rows)\n",
    "made/inner/two": "def f():\n    return 5\n\n\ndef other():\n    return 6\n",
    "made/inner/three": "def g():\n    return 7\n",
}


@pytest.fixture
def made_digest(tmp_path, monkeypatch):
    """Return a function that writes files of packages without `__init__`, one changed, and returns the body's key."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def of(old="", new=""):
        for name in [each for each in sys.modules if each.partition(".")[0] == "made"]:
            del sys.modules[name]
        assert not old or any(old in text for text in MADE.values())
        for name, text in MADE.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new) if old else text)
        importlib.invalidate_caches()
        return digest(parts_of(importlib.import_module("made.one").body))

    return of


def test_what_decorators_of_packages_have_made_is_the_users(made_digest):
    before = made_digest()
    edits = ["yield 1", "return 'x'", "return 'int'", "return x + 1", "return [1]", "return 5", "return 7", "return 2"]
    for old in edits:
        assert made_digest(old, f"{old[:-1]}9{old[-1]}") != before, old
    assert made_digest("operator.add, 3", "operator.add, 4") != before
    for old, new in (("return 6", "return 66"), ("yield 1", "yield 1  # one"), ("def g", "\n\ndef g")):
        assert made_digest(old, new) == before, old
