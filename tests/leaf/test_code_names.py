"""Which globals code names is read from its instructions, classes inside functions included."""

import dis
import subprocess
import sys
import types

import pytest

from graflow_fast._wire.code import global_names
from graflow_fast._worker.operations import Operations

MANY = "\n".join(f"    x = name{number}" for number in range(400))

NAMED = {
    "def f(): return LIMIT": {"LIMIT"},
    "def f():\n class C:\n  x = LIMIT\n return C.x": {"LIMIT"},
    "def f():\n class C(BASE):\n  def g(self): return LIMIT\n return C": {"BASE", "LIMIT"},
    "def f():\n class C:\n  class D:\n   x = LIMIT\n return C.D.x": {"LIMIT"},
    "def f():\n class C:\n  x = [LIMIT for _ in range(2)]\n return C": {"LIMIT", "range"},
    "def f():\n class C:\n  global SET\n  SET = LIMIT\n return C": {"SET", "LIMIT"},
    "def f():\n class C:\n  x: LIMIT = 1\n return C": {"LIMIT"},
    "def f():\n @DECORATOR\n class C:\n  @METHOD\n  def g(self, x=DEFAULT): pass\n return C": {
        "DECORATOR",
        "METHOD",
        "DEFAULT",
    },
    "def f():\n global SET\n SET = 1": {"SET"},
    "def f():\n global SET\n del SET": {"SET"},
    "def f(): return (lambda: [LIMIT for _ in ()])": {"LIMIT"},
    f"def f():\n    class C:\n    {MANY.lstrip()}".replace("\n    x", "\n        x").replace(
        "class C:\n    x", "class C:\n        x"
    ): {f"name{number}" for number in range(400)},
}
OWN = {"__name__", "C", "D", "g", "__module__", "__qualname__"}


def code_of(source):
    module_code = compile(source, "/program.py", "exec", dont_inherit=True)
    return next(constant for constant in module_code.co_consts if isinstance(constant, types.CodeType))


@pytest.mark.parametrize("source", NAMED, ids=range(len(NAMED)))
def test_what_code_names(source):
    assert NAMED[source] <= set(global_names(code_of(source)))
    assert set(global_names(code_of(source))) - OWN == NAMED[source] - OWN


def instructions(code):
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from instructions(constant)


READING = {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def test_the_standard_library_is_read_as_dis_reads_it():
    import argparse
    import dataclasses
    import enum
    import inspect
    import typing

    for module in (argparse, dataclasses, enum, inspect, typing):
        with open(module.__file__) as file:
            code = compile(file.read(), module.__file__, "exec")
        assert set(global_names(code)) == {each.argval for each in instructions(code) if each.opname in READING} - {
            "__annotations__"
        }


STORING = ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF")


def test_what_code_sets_is_read_as_dis_reads_it():
    import argparse
    import functools
    import logging
    import typing

    for module in (argparse, functools, logging, typing):
        with open(module.__file__) as file:
            code = compile(file.read(), module.__file__, "exec")
        found = Operations()
        found.add(code)
        assert found.rebound == {each.argval for each in instructions(code) if each.opname in STORING}
        stores = {each.argval for each in instructions(code) if each.opname in ("STORE_ATTR", "DELETE_ATTR")}
        assert found.stored == stores
        assert {attribute for _, attribute in found.stored_in} <= stores


def test_what_a_function_stores_where_and_what_it_makes_when_it_finds_nothing():
    source = """
def f():
    global made
    if made is None:
        made = 1
    place.first = 1
    place.inner.second = 2
    other.third += 1
"""
    found = Operations()
    found.add(code_of(source))
    assert found.rebound == {"made"}
    assert found.stored == {"first", "second", "third"}
    assert found.stored_in == {("place", "first")}
    assert found.lazy == {"made", "third"}


BODIES = {
    "class body": """
class C:
    x = LIMIT
return C.x""",
    "class in a class": """
class C:
    class D:
        x = LIMIT
return C.D.x""",
    "class with a base": """
class C(Base):
    x = double(LIMIT)
return C.x""",
    "class in an inner function": """
def inner():
    class C:
        x = LIMIT
    return C.x
return inner()""",
    "comprehension in a class": """
class C:
    x = [LIMIT for _ in range(1)][0]
return C.x""",
    "captured": """
class C:
    x = LIMIT + captured
return C.x""",
    "submodule": """
class C:
    x = xml.dom.minidom.Node.ELEMENT_NODE
return LIMIT + C.x""",
    "method": """
class C:
    def get(self):
        class D:
            x = LIMIT
        return D.x
return C().get()""",
}

PROGRAM = """
import xml.dom.minidom
from graflow_fast import task, workflow
LIMIT = 7
UNSENDABLE = [7]
class Base: pass
def double(x): return x * 2
def make(captured):
    @task
    def f():
        {body}
    return f
with workflow("w") as wf:
    f = make({captured})
    print(wf.execute(executor="inline") == wf.execute(executor="process"))
"""


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_classes_inside_bodies_find_globals_in_a_worker(body, tmp_path):
    script = tmp_path / "program.py"
    indented = body.replace("\n", "\n        ")
    script.write_text(PROGRAM.format(body=indented, captured="1"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout == "True\n", done.stderr
