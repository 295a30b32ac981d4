"""Run a Python program, a module or code, with 'import graflow' meaning graflow_fast.

Owns making this process look as if Python itself had started the program (its arguments, search path and main module),
and what its end means as an exit code. Must not know workflows, but for the error of a cancelled one.
"""

from __future__ import annotations

import argparse
import os
import sys
from types import CodeType, ModuleType, TracebackType

from graflow_fast._alias import install
from graflow_fast._commands.exit_codes import CANCELLED, FAILED, INTERRUPTED, OK, USAGE

__all__ = ["add_arguments", "add_program", "call", "run_program"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``run``."""
    parser.usage = "graflow-fast run [OPTIONS] (FILE | -m MODULE | -c CODE | -) [--] [ARGS ...]"
    options = parser.add_argument_group("options, for what the program doesn't say itself")
    options.add_argument(
        "--progress",
        choices=("auto", "plain", "never"),
        help="show runs while they go: a block on a terminal, else lines; lines; not at all (default: a block on a "
        "terminal, else nothing)",
    )
    options.add_argument("--record", action="store_true", help="keep what ran when, for show, report and others")
    options.add_argument(
        "--durable", action="store_true", help="let 'graflow-fast resume' go on with it when it is killed"
    )
    options.add_argument("--store", metavar="FILE", help="the store of runs for these two")
    options.add_argument("--workers", type=_number, metavar="N", help="so many worker processes or threads")
    options.add_argument("--executor", choices=("auto", "inline", "thread", "process"), help="where bodies run")
    add_program(parser)


def add_program(parser: argparse.ArgumentParser) -> None:
    """Let a program be named, with its arguments."""
    rest = argparse.REMAINDER
    parser.add_argument("-m", dest="module", nargs=rest, metavar="MODULE", help="run a module, as python -m does")
    parser.add_argument("-c", dest="code", nargs=rest, metavar="CODE", help="run code, as python -c does")
    parser.add_argument(
        "program", nargs=rest, metavar="FILE", help="the program, - for standard input, and its arguments"
    )
    parser.set_defaults(parser=parser)


def call(arguments: argparse.Namespace) -> int:
    """Run what was named; return the exit code.

    Raises:
        SystemExit: the program's own, or (code 2) nothing was named or it does not exist.
    """
    from graflow_fast._run.settings import Settings

    if arguments.progress in ("auto", "plain"):
        Settings.progress = True if arguments.progress == "auto" else "plain"
    elif arguments.progress is None and sys.stderr is not None and sys.stderr.isatty():
        Settings.progress = True
    Settings.record, Settings.durable = arguments.record, arguments.durable
    Settings.max_workers, Settings.executor = arguments.workers, arguments.executor
    if arguments.store:
        os.environ["GRAFLOW_FAST_STORE"] = os.path.abspath(arguments.store)
    return run_program(arguments)


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return number


def run_program(arguments: argparse.Namespace) -> int:
    """Run what was named, as Python would; return the exit code.

    Raises:
        SystemExit: the program's own, or (code 2) nothing was named or it does not exist.
    """
    given: list[str] = arguments.module or arguments.code or arguments.program
    if not given:
        arguments.parser.error("name a program: a file, -m MODULE or -c CODE")
    what, *words = given
    if words[:1] == ["--"]:
        del words[0]
    install()
    try:
        if arguments.module:
            _run_module(what, words)
        elif arguments.code:
            _run_code(compile(what, "<string>", "exec"), "-c", words, directory="")
        else:
            _run_file(what, words)
    except _NotFoundError as error:
        print(f"graflow-fast: {error}", file=sys.stderr)
        return USAGE
    except SystemExit:
        raise
    except BaseException as error:
        return _ended_with(error)
    return OK


class _NotFoundError(Exception):
    """What shall be run does not exist."""


def _run_file(file: str, words: list[str]) -> None:
    if file == "-":
        _run_code(compile(sys.stdin.read(), "<stdin>", "exec"), "-", words, directory="")
        return
    if os.path.isdir(file) or file.endswith((".zip", ".pyz")):
        _prepare(file, words, directory=None)
        from runpy import run_path

        run_path(file, run_name="__main__")
        return
    try:
        with open(file, "rb") as source:
            text = source.read()
    except OSError as error:
        raise _NotFoundError(f"can't open '{file}': {error.strerror}") from None
    path = os.path.abspath(file)
    _run_code(compile(text, path, "exec"), file, words, os.path.dirname(os.path.realpath(file)), path)


def _run_module(name: str, words: list[str]) -> None:
    from importlib.util import find_spec
    from runpy import run_module

    _prepare(name, words, directory=os.getcwd())
    try:
        spec = find_spec(name)
    except ImportError:
        spec = None
    if spec is None:
        raise _NotFoundError(f"no module named '{name}'")
    run_module(name, run_name="__main__", alter_sys=True)


def _run_code(code: CodeType, name: str, words: list[str], directory: str, file: str | None = None) -> None:
    """Run code in a main module of its own, which stays until the process ends, as Python's does."""
    _prepare(name, words, directory)
    main = ModuleType("__main__")
    if file is not None:
        main.__file__ = file
        main.__dict__["__cached__"] = None
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def _prepare(name: str, words: list[str], directory: str | None) -> None:
    sys.argv[:] = [name, *words]
    if directory is not None and not getattr(sys.flags, "safe_path", False):
        sys.path[0] = directory  # which is now that of this command


def _ended_with(error: BaseException) -> int:
    """Show an exception that nobody caught as Python does, without the lines of this command; return the exit code."""
    trace = error.__traceback__
    while trace is not None and _is_of_the_command(trace):
        trace = trace.tb_next
    error = error.with_traceback(trace)
    sys.excepthook(type(error), error, trace)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    # Whoever raised it has imported it.
    exceptions = sys.modules.get("graflow_fast.exceptions")
    cancelled = exceptions is not None and isinstance(error, exceptions.GraflowWorkflowCanceledError)
    return CANCELLED if cancelled else FAILED


def _is_of_the_command(trace: TracebackType) -> bool:
    return trace.tb_frame.f_globals.get("__name__") in (__name__, "runpy")
