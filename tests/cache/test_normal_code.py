"""Code in its normal form: cosmetics change nothing, each change of what is done does."""

from __future__ import annotations

import itertools

import pytest

from graflow_fast._cache.normal_code import chains, imports, normal_form


def form(text, name="x.py"):
    variables = {}
    exec(compile(text, name, "exec"), variables)
    return normal_form(variables["f"].__code__)


BASE = "def f(x, y=2):\n    z = x + y\n    if z:\n        return [z, 'a']\n    return g(z)\n"

SAME = [
    "\n\n\n" + BASE,
    "# said\n" + BASE.replace("return g(z)", "return g(z)  # why"),
    BASE.replace("    z =", "    '''Add them.'''\n    z =", 1),
    BASE.replace("    z =", "    '''Add them,\n    slowly.\n    '''\n\n    z =", 1),
    BASE.replace("x + y", "(\n        x\n        + y\n    )"),
    BASE.replace("[z, 'a']", '[\n            z,\n            "a",\n        ]'),
    BASE.replace("g(z)", "g(\n        z,\n    )"),
    BASE.replace("(x, y=2)", "(x: int, y: int = 2) -> list"),
]

OTHER = [
    BASE,
    BASE.replace("x + y", "x - y"),
    BASE.replace("'a'", "'b'"),
    BASE.replace("[z, 'a']", "(z, 'a')"),
    BASE.replace("g(z)", "h(z)"),
    BASE.replace("g(z)", "g(x)"),
    BASE.replace("if z", "if not z"),
    BASE.replace("x + y", "x + y + 1"),
    BASE.replace("x + y", "x + y + True"),
    BASE.replace("x + y", "x + y + 1.0"),
    BASE.replace("g(z)", "g(z).real"),
    BASE.replace("g(z)", "lambda: z"),
    BASE.replace("g(z)", "lambda: z + 1"),
    BASE.replace("(x, y=2)", "(x, *, y=2)"),
    BASE.replace("    z =", "    print(1)\n    z =", 1),
]


@pytest.mark.parametrize("text", SAME)
def test_cosmetics_change_nothing(text):
    assert form(text, "elsewhere.py") == form(BASE)


def test_each_other_meaning_has_another_form():
    # As texts: 1, True and 1.0 are equal in Python, and are told apart by the keys of values.
    for one, other in itertools.combinations(OTHER, 2):
        assert repr(form(one)) != repr(form(other)), (one, other)


def test_a_handler_is_part_of_it():
    base = "def f():\n    try:\n        g()\n    except OSError:\n        h()\n    k()\n"
    assert form(base) == form(base.replace("h()\n", "h()  # well\n\n"))
    assert form(base) != form(base.replace("        h()\n    k()", "        h()\n        k()"))


def test_lines_of_an_inner_class_change_nothing():
    base = "def f():\n    class C:\n        def m(self): return 1\n    return C\n"
    assert form(base) == form("\n\n" + base.replace("class C:\n", "class C:\n        '''Of f.'''\n"))
    assert form(base) != form(base.replace("return 1", "return 2"))


def test_what_code_asks_for_is_found_in_inner_functions_too():
    variables = {}
    text = "def f():\n    def g(): return a.b.c(LIMIT)\n    from p.q import r, s\n    import t\n    return len(g())\n"
    exec(text, variables)
    code = variables["f"].__code__
    assert chains(code) == {("a", "b", "c"), ("LIMIT",), ("len",)}
    assert imports(code) == {("p.q", 0, ("r", "s")), ("t", 0, ())}
