"""Code that crosses by value keeps the name of its file: tracebacks, warnings, debuggers and coverage need it."""

import io
import pickle
import subprocess
import sys
import types

import pytest

from graflow_fast._wire import by_value, crossing, exception_pickling

SOURCE = """
class Shape:
    def area(self): return 3
    @property
    def name(self): return "shape"
    @staticmethod
    def make(): return Shape()

def function(x):
    def inner(y):
        return [z + y for z in range(x)]
    return inner

def maker(n):
    return lambda x: x + n

closure = maker(3)

def generator():
    yield 1

async def coroutine():
    pass
"""


def defined(name):
    module_globals = {"__name__": "__main__", "__file__": "/programs/own.py"}
    exec(compile(SOURCE, "/programs/own.py", "exec"), module_globals)
    return module_globals[name]


def codes(thing):
    """Yield every code object of a function or a class."""
    if isinstance(thing, type):
        for part in vars(thing).values():
            yield from codes(part)
    elif isinstance(thing, (staticmethod, classmethod)):
        yield from codes(thing.__func__)
    elif isinstance(thing, property):
        yield from codes(thing.fget)
    elif isinstance(thing, types.FunctionType):
        yield from codes(thing.__code__)
    elif isinstance(thing, types.CodeType):
        yield thing
        for constant in thing.co_consts:
            yield from codes(constant)


@pytest.mark.parametrize("dumps", [by_value.dumps, crossing.dumps], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ["Shape", "function", "closure", "generator", "coroutine"])
def test_code_keeps_its_file_its_lines_and_its_content(dumps, name):
    before, after = list(codes(defined(name))), list(codes(pickle.loads(dumps(defined(name)))))
    assert after == before
    assert {code.co_filename for code in after} == {"/programs/own.py"}
    assert [list(code.co_lines()) for code in after] == [list(code.co_lines()) for code in before]


def test_an_exceptions_class_keeps_its_file():
    error = defined("Shape")
    wrapped = type("Wrong", (Exception,), {"__module__": "__main__", "shape": error})("no")
    restored = exception_pickling.unpack(exception_pickling.pack(wrapped))
    assert {code.co_filename for code in codes(type(restored).shape)} == {"/programs/own.py"}


def test_code_with_constants_that_no_compiler_makes_crosses():
    function = defined("function")
    constant = io.StringIO  # a class, as tools put in that write code themselves
    code = function.__code__.replace(co_consts=(*function.__code__.co_consts, constant))
    other = types.FunctionType(code, {"__name__": "__main__"}, "other")
    restored = pickle.loads(by_value.dumps(other)).__code__
    assert restored.co_consts[-1] is constant
    assert restored.co_filename == "/programs/own.py"
    assert restored == code


PROGRAM = """
import traceback
from graflow_fast import task, workflow

class Order:
    def check(self):
        raise ValueError("no")

with workflow("w") as wf:

    @task
    def load(n):
        return Order().check()

    load.map([1])
    for executor in ("process", "inline"):
        try:
            wf.execute(executor=executor)
        except Exception:
            said = traceback.format_exc()
            print(executor, f'File "{__file__}", line 7, in check' in said, 'raise ValueError("no")' in said)
"""


def test_a_scripts_tracebacks_name_the_script_on_every_executor(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=110)
    assert done.stdout == "process True True\ninline True True\n", done.stderr


CHECKPOINTED = """
import sys
from graflow_fast.core.context import ExecutionContext
from graflow_fast import task, workflow

def helper():
    raise ValueError("no")

with workflow("w") as wf:

    @task
    def load():
        helper()

    ExecutionContext.create(wf.graph, "load").save(sys.argv[1])
"""

LOADED = """
import sys
from graflow_fast.core.context import ExecutionContext

function = ExecutionContext.load(sys.argv[1]).graph.get_node("load").func
print(function.__code__.co_filename, function.__globals__["helper"].__code__.co_filename)
"""


def test_checkpoints_keep_file_names(tmp_path):
    script, file = tmp_path / "program.py", tmp_path / "saved"
    script.write_text(CHECKPOINTED)
    subprocess.run([sys.executable, script, file], check=True, timeout=110)
    done = subprocess.run([sys.executable, "-c", LOADED, file], capture_output=True, text=True, timeout=110)
    assert done.stdout == f"{script} {script}\n", done.stderr
