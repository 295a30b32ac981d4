"""Eighty edits of a program: forty that change what it does must miss, forty that don't must hit."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from graflow_fast._cache.code_keys import digest, parts_of

FILES = {
    "__init__": "",
    "body": """
        import functools
        import re
        from dataclasses import dataclass
        from enum import Enum

        from . import helpers, tools as t
        from .helpers import clean, Scaler

        LIMIT = 10
        NAMES = ("a", "b")
        TABLE = {"x": [1, 2], "y": {3}}
        PATTERN = re.compile("[a-z]+")
        UNUSED = 1


        class Mode(Enum):
            FAST = 1
            SLOW = 2


        @dataclass
        class Row:
            value: int = 1
            name: str = "row"

            @property
            def double(self):
                return self.value * 2

            @staticmethod
            def make(value):
                return Row(value)


        class Base:
            factor = 3

            def scale(self, x):
                return x * self.factor


        class Derived(Base):
            def scale(self, x):
                return super().scale(x) + 1


        def twice(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args) + function(*args)
            return wrapper


        @twice
        def decorated(x):
            return x - 1


        @functools.lru_cache
        def remembered(x):
            return x + 7


        def closed(n):
            def inner(x):
                return x + n
            return inner


        add_two = closed(2)
        pick = lambda row: row.value


        def unused():
            return "unused"


        def body(data, scale=2, *, strict=False):
            '''Say what it does.'''
            # The rows.
            rows = [Row.make(each) for each in data if each < LIMIT]
            total = sum(pick(row) for row in rows)
            if strict and Mode.FAST in (Mode.SLOW,):
                raise ValueError(f"too strict: {total!r}")
            try:
                total += TABLE["x"][0] + len(NAMES)
            except KeyError:
                total = -1
            for name in NAMES:
                if PATTERN.match(name):
                    total += 1
            total = Derived().scale(total) + decorated(total) + remembered(total) + add_two(total)
            return helpers.norm(clean(total)) * scale + t.size(total) + Scaler(2).apply(total)
    """,
    "helpers": """
        from .tools import size
        import math

        EPS = 0.5


        def norm(x):
            return x / (size(x) + EPS)


        def clean(x):
            return round(x, 2) if x is not None else 0


        class Scaler:
            def __init__(self, by):
                self.by = by

            def apply(self, x):
                from .late import shift
                return shift(x) * self.by + math.pi


        def elsewhere():
            return 1
    """,
    "tools": """
        SIZES = [1, 2, 3]


        def size(x):
            return len(SIZES) + abs(x)


        def other(x):
            return x
    """,
    "late": """
        OFFSET = 1


        def shift(x, by=OFFSET):
            def moved():
                return x + by
            return moved()
    """,
}

MISSES = [
    ("body", "LIMIT = 10", "LIMIT = 11"),
    ("body", "LIMIT = 10", "LIMIT = 10.0"),
    ("body", '("a", "b")', '("a", "c")'),
    ("body", '("a", "b")', '["a", "b"]'),
    ("body", '"x": [1, 2]', '"x": [1, 3]'),
    ("body", '"y": {3}', '"y": {4}'),
    ("body", '"[a-z]+"', '"[A-Z]+"'),
    ("body", '"[a-z]+")', '"[a-z]+", re.I)'),
    ("body", "FAST = 1", "FAST = 0"),
    ("body", "value: int = 1", "value: int = 2"),
    ("body", "@dataclass\n", "@dataclass(frozen=True)\n"),
    ("body", "self.value * 2", "self.value * 3"),
    ("body", "return Row(value)", "return Row(value + 1)"),
    ("body", "factor = 3", "factor = 4"),
    ("body", "x * self.factor", "x + self.factor"),
    ("body", "scale(x) + 1", "scale(x) + 2"),
    ("body", "class Derived(Base)", "class Derived(Base, dict)"),
    ("body", "function(*args) + function(*args)", "function(*args) * 2"),
    ("body", "return x - 1", "return x - 2"),
    ("body", "@twice\n", ""),
    ("body", "return x + 7", "return x + 8"),
    ("body", "closed(2)", "closed(3)"),
    ("body", "return x + n", "return n + x"),
    ("body", "row: row.value", "row: row.name"),
    ("body", "scale=2,", "scale=3,"),
    ("body", "strict=False", "strict=True"),
    ("body", "each < LIMIT", "each <= LIMIT"),
    ("body", "too strict: {total!r}", "too strict: {total}"),
    ("body", "except KeyError", "except IndexError"),
    ("body", "total = -1", "total = -2"),
    ("body", "t.size(total)", "t.other(total)"),
    ("body", "Scaler(2)", "Scaler(3)"),
    ("helpers", "EPS = 0.5", "EPS = 0.25"),
    ("helpers", "round(x, 2)", "round(x, 3)"),
    ("helpers", "math.pi", "math.e"),
    ("helpers", "self.by = by", "self.by = by or 1"),
    ("tools", "[1, 2, 3]", "[1, 2]"),
    ("tools", "abs(x)", "-x"),
    ("late", "OFFSET = 1", "OFFSET = 2"),
    ("late", "return x + by", "return x - by"),
]

HITS = [
    ("body", "# The rows.", "# All rows."),
    ("body", "# The rows.\n", "\n"),
    ("body", "'''Say what it does.'''", '"""Say it otherwise."""'),
    ("body", "    '''Say what it does.'''\n", ""),
    ("body", "LIMIT = 10", "LIMIT = 5 + 5"),
    ("body", "LIMIT = 10", "LIMIT = 0xA  # ten"),
    ("body", "UNUSED = 1", "UNUSED = 2"),
    ("body", "UNUSED = 1", ""),
    ("body", 'return "unused"', 'return "used"'),
    ("body", "def unused():", "def never():"),
    ("body", '("a", "b")', "(\n    'a',\n    'b',\n)"),
    ("body", "import functools\nimport re", "import re\nimport functools"),
    ("body", "import functools\n", "import functools\nimport json\n"),
    ("body", "from .helpers import clean, Scaler", "from .helpers import Scaler, clean"),
    ("body", "class Base:", "class Base:\n    '''A base.'''\n"),
    ("body", "return x * self.factor", "\n        # Why.\n        return x * self.factor"),
    ("body", "total += 1\n", "total += 1  # one more\n"),
    ("body", "if strict and Mode", "if (\n            strict\n            and Mode"),
    ("body", "rows = [Row", "rows = [\n        Row"),
    ("body", "def body(data, scale", "def body(\n    data, scale"),
    ("body", "def body(data, ", "def body(data: list, "),
    ("body", "strict=False)", "strict=False) -> float"),
    ("body", "return x - 1", "return (x - 1)"),
    ("body", "return x + 7", "return x + 0b111"),
    ("body", "    return inner\n", "\n\n    return inner\n"),
    ("body", "pick = lambda row: row.value", "pick = lambda row: (row.value)"),
    ("body", "total = -1", "total = - 1"),
    ("body", "class Mode(Enum):", "\n\n\nclass Mode(Enum):"),
    ("body", "Derived().scale(total) + decorated", "Derived().scale(\n        total\n    ) + decorated"),
    ("helpers", "EPS = 0.5", "EPS = 1 / 2"),
    ("helpers", "def elsewhere():\n    return 1", "def elsewhere():\n    return 2"),
    ("helpers", "def elsewhere():\n    return 1", ""),
    ("helpers", "def norm(x):", "def norm(x):\n    '''Norm.'''"),
    ("helpers", "def clean(x):", "def clean(x) -> float:"),
    ("helpers", "import math", "import math, json"),
    ("tools", "SIZES = [1, 2, 3]", "SIZES = [1,2,3]  # sizes"),
    ("tools", "def other(x):\n    return x", "def other(x):\n    return -x"),
    ("tools", "def size(x):", "\n\n\n\n\ndef size(x):"),
    ("late", "return moved()", "# moved\n    return moved()"),
    ("late", "def moved():", "def moved():\n        '''Moved.'''"),
]


def closes(text, old, new):
    """Close a bracket that an edit opened."""
    if new.startswith("if (\n"):
        return text.replace("Mode.FAST in (Mode.SLOW,):", "Mode.FAST in (Mode.SLOW,)\n    ):")
    return text


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """Return a function that writes the files with one edit and returns the key of the body's code."""
    folder = tmp_path_factory.mktemp("edits")
    serial = iter(range(1000))
    sys.path.insert(0, str(folder))

    def of(name="body", old="", new=""):
        package = folder / f"version{next(serial)}" / "edited"
        package.mkdir(parents=True)
        for each, text in FILES.items():
            text = textwrap.dedent(text)
            if each == name:
                assert text.count(old) == 1 or not old, (old, text.count(old))
                text = closes(text.replace(old, new), old, new) if old else text
            (package / f"{each}.py").write_text(text)
        for loaded in [each for each in sys.modules if each.partition(".")[0] == "edited"]:
            del sys.modules[loaded]
        sys.path[0] = str(package.parent)
        importlib.invalidate_caches()
        return digest(parts_of(importlib.import_module("edited.body").body))

    yield of
    del sys.path[0]


@pytest.fixture(scope="module")
def base(key):
    return key()


def test_there_are_eighty(base, key):
    assert (len(MISSES), len(HITS)) == (40, 40)
    assert key() == base


@pytest.mark.parametrize(("name", "old", "new"), MISSES)
def test_it_misses(key, base, name, old, new):
    assert key(name, old, new) != base


@pytest.mark.parametrize(("name", "old", "new"), HITS)
def test_it_hits(key, base, name, old, new):
    assert key(name, old, new) == base
