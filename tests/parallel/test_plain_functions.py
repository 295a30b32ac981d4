"""Functions arrive in a worker as cloudpickle would have brought them; plain ones without a pickle."""

import importlib
import math
import os.path
import subprocess
import sys
import types
from collections import OrderedDict

import cloudpickle
import pytest
from told import Pool

from graflow_fast._wire import crossing, descriptions
from graflow_fast.core.definition import Definition


def over_the_wire(function):
    """Return a function as a worker would get it, None when it is pickled."""
    definition = Definition(function)
    return received(definition) if descriptions.is_plain(definition) else None


def received(definition):
    pool = Pool()
    key = pool.table.keys_for(definition, "t")[0]
    with pool.worker() as worker:
        return worker.definition(key).func


def by_cloudpickle(function):
    return cloudpickle.loads(cloudpickle.dumps(function))


def defined(source, name="function", module="__main__", **given):
    """Return the function of that name from a program, whose names are not importable."""
    module_globals = {"__name__": module, "__file__": "/program.py", "__package__": None, **given}
    exec(compile(source, "/program.py", "exec"), module_globals)
    return module_globals[name]


ATTRIBUTES = ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__annotations__")

PLAIN = {
    "nothing captured": "def function(x): return x * 2",
    "a module": "import math\ndef function(x): return math.floor(x)",
    "a name of a submodule": "import os.path as p\ndef function(x): return p.basename(str(x))",
    "a package of which submodules are needed": "import os.path\ndef function(x): return os.path.basename(str(x))",
    "a closure": "def outer():\n  n = 1\n  def inner(x): return n\n  return inner\nfunction = outer()",
    "a helper with defaults": "def helper(x, y=2): return x * y\ndef function(x): return helper(x)",
    "scalars": "A, B, C = 1, 'b', b'c'\ndef function(x): return A, B, C, x",
    "defaults": "def function(x, a=1, *rest, b=(2, 'z'), c=None, **more): return x, a, b, c, rest, more",
    "annotations": "def function(x: int, y: list[dict[str, int]] = None) -> tuple[int, ...]: 'says so'; return x",
    "a class of a library": "from decimal import Context\ndef function(x): return Context(int(x)).prec",
    "functions of libraries": "from math import sqrt\nfrom copy import copy\ndef function(x): return sqrt(x), copy(x)",
    "a helper": "def helper(x): return x + N\nN = 5\ndef function(x): return helper(x)",
    "itself": "def function(x): return 1 if x < 2 else x * function(x - 1)",
    "each other": "def other(x): return function(x - 1)\ndef function(x): return 0 if x < 1 else 1 + other(x)",
    "inner functions": "K = 3\ndef function(x): return [(lambda y: y + K)(i) for i in range(int(x))]",
    "its own counter": "N = 0\ndef function(x):\n  global N\n  N += x\n  return N",
    "a name that is an attribute, too": "real = 7\ndef function(x): return (x + 0).real",
    "a global that is not there": "def function(x): return missing if x < 0 else x",
    "many names": "\n".join(f"v{i} = {i}" for i in range(400))
    + "\ndef function(x): return "
    + " + ".join(f"v{i}" for i in range(400)),
}


@pytest.mark.parametrize("source", PLAIN.values(), ids=PLAIN)
def test_a_plain_function_is_what_cloudpickle_would_make_of_it(source):
    function = defined(source)
    ours, theirs = over_the_wire(function), by_cloudpickle(function)
    assert ours is not None
    for name in ATTRIBUTES:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.__code__ == theirs.__code__
    # What every module has is there, too, since the program's own file is one.
    assert ours.__globals__.keys() - {"__doc__", "__loader__", "__spec__"} == theirs.__globals__.keys()
    for argument in (3, 5.0):
        try:
            expected = theirs(argument)
        except TypeError:
            continue
        assert ours(argument) == expected


def test_functions_share_their_globals_as_they_did():
    source = "N = 0\ndef count():\n  global N\n  N += 1\ndef function(x):\n  count()\n  return N"
    ours = over_the_wire(defined(source))
    assert ours.__globals__["count"].__globals__ is ours.__globals__
    assert [ours(0), ours(0)] == [1, 2]


def test_functions_of_two_modules_keep_their_globals_apart():
    helper = defined("N = 1\ndef helper(): return N", "helper", module="first")
    function = defined("N = 2\ndef function(x): return helper() + N", module="second", helper=helper)
    assert over_the_wire(function)(0) == 3


def test_an_unused_global_does_not_travel():
    assert "NAMES" not in over_the_wire(defined("NAMES = object()\ndef function(x): return x")).__globals__


class Local:
    pass


NOT_PLAIN = {
    "a list": "L = [1]\ndef function(x): return L",
    "a dictionary": "D = {}\ndef function(x): return D",
    "an object": "O = object()\ndef function(x): return O",
    "a class of its own": "class C: pass\ndef function(x): return C()",
    "an object of a subclass of int": "B = __import__('http').HTTPStatus.OK\ndef function(x): return B",
    "an array, which marshal takes for bytes": "B = __import__('array').array('i', [1])\ndef function(x): return B",
    "a mutable default": "def function(x=[]): return x",
    "a mutable default by name": "def function(*, x={}): return x",
    "attributes": "def function(x): return x\nfunction.note = 1",
    "a helper that is not plain": "L = []\ndef helper(): return L\ndef function(x): return helper()",
}


@pytest.mark.parametrize("source", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain_is_left_to_cloudpickle(source):
    assert over_the_wire(defined(source)) is None


def test_other_callables_are_left_to_cloudpickle():
    class Callable:
        def __call__(self, x):
            return x

    for function in (Callable(), Callable, types.MethodType(lambda self: 1, Local())):
        assert over_the_wire(function) is None


def test_an_importable_function_goes_by_its_name():
    assert over_the_wire(math.sqrt) is math.sqrt
    assert over_the_wire(os.path.basename) is os.path.basename
    assert over_the_wire(subprocess.run) is subprocess.run


def test_a_function_that_only_looks_importable_goes_by_value(tmp_path, monkeypatch):
    (tmp_path / "looks_importable.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("looks_importable")
    try:
        function = defined("def function(x): return 1", module="looks_importable")
        module.function = lambda x: 2
        assert over_the_wire(function)(0) == 1
        module.function = function
        assert over_the_wire(function) is function
    finally:
        del sys.modules["looks_importable"]


def test_a_module_that_was_only_made_is_not_importable(monkeypatch):
    module = types.ModuleType("made_here")
    monkeypatch.setitem(sys.modules, "made_here", module)
    function = module.function = defined("def function(x): return 1", module="made_here")
    assert over_the_wire(function) is not function
    assert over_the_wire(function)(0) == 1
    cloudpickle.unregister_pickle_by_value(module)


def test_modules_registered_to_go_by_value_make_no_difference_to_others():
    function = defined("def function(x): return x")
    import fractions

    cloudpickle.register_pickle_by_value(fractions)
    try:
        assert received(Definition(function))(1) == 1
    finally:
        cloudpickle.unregister_pickle_by_value(fractions)
    assert over_the_wire(function) is not None


def test_the_same_function_gives_the_same_bytes():
    function = defined("def function(x, a='some text'): return [x, 'some text', 1000]")
    told, kept = [], []
    for _ in range(2):
        pool = Pool()
        pool.table.epoch += 1
        kept += [Definition(function), function.__code__.co_consts, function.__defaults__]
        keys = pool.table.keys_for(kept[-3], "t")
        told.append([pool.blobs[key] for key in keys[1:]])
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "message",
    [True, 1, 2**80, -1.5, "text", "\ud800", b"bytes", None, (1, ("a", None)), {"a": (1, 2), "b": {"c": b"d"}}],
    ids=str,
)
def test_what_is_marshalled_comes_back_as_it_was(message):
    data = crossing.marshalled(message)
    assert data is not None
    back = crossing.loads(data)
    assert back == message
    assert type(back) is type(message)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "message", [[1], {1}, bytearray(b"a"), memoryview(b"a"), Text("a"), OrderedDict(), (1, [2])], ids=repr
)
def test_what_marshal_would_change_is_not_marshalled(message):
    assert crossing.marshalled(message) is None
