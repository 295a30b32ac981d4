"""What a program has set for its process is so in its bodies, whatever runs them: log, warnings, numbers, modules."""

import contextvars
import decimal
import importlib
import io
import logging
import subprocess
import sys
import time
import warnings
from unittest import mock

import pytest

from graflow_fast import task, workflow

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])

user = contextvars.ContextVar("user", default="nobody")


def run(body, executor, items=(1,), **options):
    """The results of a body for some items."""
    with workflow("w") as wf:
        task("t")(body).map(list(items), task_id="m")
        return wf.execute(executor=executor, max_workers=1, **options)


@pytest.fixture
def log(monkeypatch):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    logging.getLogger().manager._clear_cache()
    return stream


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes modules of the program."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        made.append(name)
        return importlib.import_module(name)

    yield write
    for name in made:
        sys.modules.pop(name, None)


@EXECUTORS
def test_levels_of_loggers(executor, log):
    """What nobody wants is not even asked for, wherever the level was set."""
    chatty, quiet, off = (logging.getLogger(name) for name in ("shop.chatty", "shop.quiet", "shop.off"))

    def body(n):
        for name in ("shop.chatty", "shop.quiet", "shop.off", "shop"):
            logger = logging.getLogger(name)
            logger.debug("debug")
            logger.warning("warning")
        return [logging.getLogger(name).isEnabledFor(logging.DEBUG) for name in ("shop.chatty", "shop.quiet", "shop")]

    chatty.setLevel(logging.DEBUG)
    quiet.setLevel(logging.ERROR)
    off.disabled = True
    try:
        assert run(body, executor) == [[True, False, False]]
    finally:
        chatty.setLevel(logging.NOTSET)
        quiet.setLevel(logging.NOTSET)
        off.disabled = False
    assert log.getvalue().split("\n") == [
        "DEBUG shop.chatty debug",
        "WARNING shop.chatty warning",
        "WARNING shop warning",
        "",
    ]
    log.seek(0)
    log.truncate()
    assert run(body, executor) == [[False, False, False]]
    assert log.getvalue().count("\n") == 4


@EXECUTORS
def test_a_body_sets_a_level(executor, log):
    def body(n):
        logger = logging.getLogger("shop.mine")
        logger.setLevel(logging.DEBUG)
        logger.debug("set here")

    try:
        run(body, executor)
    finally:
        logging.getLogger("shop.mine").setLevel(logging.NOTSET)
    assert log.getvalue() == "DEBUG shop.mine set here\n"


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_basic_config_in_a_body(executor, monkeypatch, capsys):
    """It shows what the body logs from there on, as it does where no handler was there before."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)

    def body(n):
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="LOG %(message)s")
        logging.info("item %d", n)

    run(body, executor, [1, 2])
    assert capsys.readouterr().out == "LOG item 1\nLOG item 2\n"


@EXECUTORS
def test_equal_warnings_are_shown_once(executor):
    """Of all tasks, as often as the filters say."""

    def body(n):
        warnings.warn("old", UserWarning, stacklevel=1)
        warnings.warn(f"number {n}", UserWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        globals().pop("__warningregistry__", None)
        run(body, executor, [1, 2, 3])
    assert [str(each.message) for each in shown] == ["old", "number 1", "number 2", "number 3"]


@EXECUTORS
def test_a_warning_that_is_an_error_is_raised_in_the_body(executor):
    def body(n):
        try:
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        except DeprecationWarning:
            return "raised"
        return "shown"

    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        assert run(body, executor) == ["raised"]


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_program_without_standard_streams(executor, monkeypatch):
    """What bodies print goes nowhere then."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    def body(n):
        print("to nobody")
        print("to nobody", file=sys.stderr)
        return n

    assert run(body, executor) == [1]


@EXECUTORS
def test_settings_of_the_interpreter(executor):
    """The recursion limit, decimal's and numpy's settings."""
    numpy = pytest.importorskip("numpy")

    def depth(n):
        return 0 if n == 0 else 1 + depth(n - 1)

    def body(n):
        return depth(3000), len(str(decimal.Decimal(1) / 3)), numpy.geterr()["divide"]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        with decimal.localcontext() as context, numpy.errstate(divide="raise"):
            context.prec = 50
            assert run(body, executor) == [(3000, 52, "raise")]
    finally:
        sys.setrecursionlimit(limit)

    def fresh(n):
        return len(str(decimal.Decimal(1) / 3)), numpy.geterr()["divide"]

    assert run(fresh, executor) == [(30, "warn")]


@EXECUTORS
def test_context_variables(executor, module):
    """Those of the program's file and of its modules."""
    request = module("request_of", "import contextvars\nnumber = contextvars.ContextVar('number')\n")

    def body(n):
        return user.get(), request.number.get(None)

    def inside():
        user.set("Ada")
        request.number.set(7)
        return run(body, executor)

    assert contextvars.copy_context().run(inside) == [("Ada", 7)]


@EXECUTORS
def test_variables_of_modules(executor, module):
    """What the program sets there, whoever reads it; and again what it sets later."""
    settings = module("settings_of", "THRESHOLD = 1\nOPTIONS = {'fast': False}\ndef threshold(): return THRESHOLD\n")
    reader = module("reader_of", "from settings_of import OPTIONS\ndef options(): return dict(OPTIONS)\n")

    def body(n):
        return settings.threshold(), getattr(settings, "NAME", None), reader.options()

    settings.THRESHOLD = 5
    settings.NAME = "set by the program"
    settings.OPTIONS["fast"] = True
    assert run(body, executor) == [(5, "set by the program", {"fast": True})]
    settings.THRESHOLD = 6
    assert run(body, executor)[0][0] == 6


@EXECUTORS
def test_functions_that_are_put_in_the_place_of_others(executor, module, monkeypatch):
    """As tests do, in modules of the program and in others."""
    client = module("client_of", "def fetch(n): raise ConnectionError\ndef twice(n): return fetch(n) * 2\n")

    def body(n):
        return client.twice(n), time.monotonic()

    monkeypatch.setattr(client, "fetch", lambda n: n + 1)
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", eval("lambda: -1.0", {"__name__": "__main__"}))
        if executor == "process":  # elsewhere the engine would wait by it
            assert run(body, executor) == [(4, -1.0)]
    result = run(body, executor)[0]
    assert result[0] == 4
    assert result[1] > 0


@EXECUTORS
def test_what_is_set_and_taken_back_again(executor, module):
    """As `unittest.mock.patch` does: functions, new variables, attributes and methods of classes; workers are warm."""
    lib = module(
        "patched_lib",
        "LIMIT = 1\ndef f(): return LIMIT\n"
        "class Settings:\n    LEVEL = 1\n    NAMES = ['a']\n    def go(self): return 'own'\n",
    )

    def body(n):
        settings = lib.Settings
        return lib.f(), lib.LIMIT, getattr(lib, "NEW", None), settings.LEVEL, settings.NAMES, settings().go()

    def seen():
        return run(body, executor)[0]

    def own(text):
        return lambda *self: text

    usual = (1, 1, None, 1, ["a"], "own")
    assert seen() == usual
    with mock.patch.object(lib, "f", own("put there")):
        assert seen() == ("put there", *usual[1:])
    assert seen() == usual
    with mock.patch.object(lib, "NEW", 5, create=True), mock.patch.object(lib, "LIMIT", 7):
        assert seen() == (7, 7, 5, *usual[3:])
    assert seen() == usual
    with mock.patch.object(lib.Settings, "LEVEL", 9), mock.patch.object(lib.Settings, "NAMES", ["b", "c"]):
        assert seen() == (*usual[:3], 9, ["b", "c"], "own")
    assert seen() == usual
    with mock.patch.object(lib.Settings, "go", own("put there")):
        assert seen() == (*usual[:5], "put there")
    with mock.patch.object(lib.Settings, "go", own("and something else")):
        assert seen() == (*usual[:5], "and something else")
    assert seen() == usual


def test_what_a_script_sets_and_takes_back_again(tmp_path):
    (tmp_path / "lib.py").write_text("def f(): return 'own'\n")
    (tmp_path / "program.py").write_text(
        """
from unittest import mock
import lib
from graflow_fast import task, workflow

def run():
    with workflow("w") as wf:

        @task
        def look():
            return lib.f()

        print(wf.execute(executor="process", max_workers=1))

run()
with mock.patch.object(lib, "f", lambda: "put there"):
    run()
run()
"""
    )
    done = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("own\nput there\nown\n", "")


def test_a_module_that_is_loaded_anew(module, tmp_path):
    """Warm workers load it anew, too."""
    helper = module("helper_of", "def f(x): return x * 10\n")

    def body(n):
        return helper.f(n)

    assert run(body, "process") == [10]
    (tmp_path / "helper_of.py").write_text("def f(x): return x * 1000  # edited\n")
    importlib.reload(helper)
    assert run(body, "process") == [1000]


def test_a_value_that_a_body_makes_for_its_module_stays(module):
    """A model that is loaded once in each worker is not lost when the program sets something."""
    model = module("model_of", "made = None\nLEVEL = 0\ncount = 0\n")

    def body(n):
        if model.made is None:
            model.made = [object()]
            model.count += 1
        return model.count, model.LEVEL

    with workflow("w") as wf:
        task("t")(body).map([1, 2], task_id="m")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert wf.execute(executor="process", max_workers=1)[-1] == (1, 0)


def test_a_function_that_its_module_has_no_more_under_its_name_stays_what_the_program_has(tmp_path):
    """It crossed by its name before; then the module's was replaced, or loaded anew."""
    (tmp_path / "prices.py").write_text("def price(n):\n    return n * 10\n")
    program = (
        "import importlib, pathlib, sys\n"
        "sys.dont_write_bytecode = True\n"
        "import prices\n"
        "from prices import price\n"
        "from graflow_fast import task, workflow\n"
        "@task\n"
        "def both(n):\n"
        "    return price(n), prices.price(n)\n"
        "def ask(executor):\n"
        "    with workflow('w', executor=executor) as wf:\n"
        "        both.map([1])\n"
        "        return wf.execute()\n"
        "def show():\n"
        "    print(ask('inline'), ask('process'))\n"
        "show()\n"
        "own, prices.price = prices.price, lambda n: 'replaced'\n"
        "show()\n"
        "prices.price = own\n"
        "show()\n"
        "pathlib.Path('prices.py').write_text('def price(n):\\n    return n * 1000\\n')\n"
        "importlib.reload(prices)\n"
        "show()\n"
    )
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    expected = [[(10, 10)], [(10, "replaced")], [(10, 10)], [(10, 1000)]]
    assert done.stdout.splitlines() == [f"{each} {each}" for each in expected]
