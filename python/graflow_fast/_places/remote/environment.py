"""What is there on the workers of an engine, asked before anything runs: a mismatch is a table, never a crash.

Owns the question, which needs nothing but the standard library there, and the judgement. Code and pickles cross only
between interpreters whose bytecode is the same, so the minor version must be; other packages may differ, and a micro
version means nothing.
"""

from __future__ import annotations

import os
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from graflow_fast._places.remote.carrier import Address, Carrier
from graflow_fast._pool.output import memory_file
from graflow_fast.exceptions import EnvironmentMismatchError

#: What crosses the trunk: another number after each change of `messages`, or of the frames and pickles in them.
PROTOCOL = 1

_QUESTION = """
def look(path, token):
    import os, sys, time, platform
    from importlib.util import MAGIC_NUMBER
    from importlib.metadata import version, PackageNotFoundError
    found = {"python": platform.python_version(), "magic": MAGIC_NUMBER.hex(), "system": sys.platform,
             "machine": platform.machine(), "host": platform.node(), "pid": os.getpid()}
    try:
        from graflow_fast._places.remote.environment import PROTOCOL
        import graflow_fast._core as core
        found["graflow_fast"] = core.__version__
        found["protocol"] = PROTOCOL
    except Exception as error:
        found["graflow_fast"] = "missing" if isinstance(error, ImportError) else repr(error)
        found["protocol"] = None
    try:
        found["cloudpickle"] = version("cloudpickle")
    except PackageNotFoundError:
        found["cloudpickle"] = "missing"
    try:
        with open(path, "rb") as file:
            found["here"] = file.read() == token
    except OSError:
        found["here"] = False
    found["clock"] = time.monotonic_ns()
    return found
"""

#: What must be the same there, and what it is called in the table.
_MUST = {
    "magic": "bytecode",
    "graflow_fast": "graflow_fast",
    "protocol": "protocol",
    "system": "system",
    "machine": "machine",
}


class Answer(NamedTuple):
    """What one worker of an engine says.

    Attributes:
        fits: whether a station can be there.
        is_here: whether it is on this machine, and can open what this process has in memory.
        shift: what to add to its monotonic clock for this machine's, in nanoseconds.
        found: all that it says, by name.
    """

    fits: bool
    is_here: bool
    shift: int
    found: dict[str, Any]


def question() -> Callable[..., dict[str, Any]]:
    """Return the function that is called there; it crosses by value, since this package may not be there."""
    module = types.ModuleType("__main__")
    exec(compile(_QUESTION, "<graflow_fast>", "exec"), module.__dict__)
    look: Callable[..., dict[str, Any]] = module.look
    return look


def check(carrier: Carrier, addresses: Sequence[Address]) -> dict[str, Answer]:
    """Ask the workers of an engine what is there; return the answers by name.

    Raises:
        EnvironmentMismatchError: on none of them a station can be.
    """
    token = os.urandom(16)
    descriptor = memory_file("graflow-token")
    try:
        os.write(descriptor, token)
        before = time.monotonic_ns()
        found = carrier.ask(addresses, question(), f"/proc/{os.getpid()}/fd/{descriptor}", token)
        now = (before + time.monotonic_ns()) // 2
    finally:
        os.close(descriptor)
    own = question()("", b"")
    answers = {}
    for address, each in zip(addresses, found, strict=True):
        if isinstance(each, BaseException):
            each = {"graflow_fast": f"no answer: {each!r}"}
        fits = all(each.get(name) == own[name] for name in _MUST)
        is_here = bool(each.get("here"))
        shift = 0 if is_here else now - each.get("clock", now)
        answers[address.name] = Answer(fits, is_here, shift, each)
    if answers and not any(answer.fits for answer in answers.values()):
        raise EnvironmentMismatchError(carrier.name, table(own, answers))
    return answers


def table(own: dict[str, Any], answers: dict[str, Answer]) -> str:
    """Return head and stations side by side, with a mark where something differs."""
    names = {"python": "Python", **_MUST, "cloudpickle": "cloudpickle"}
    rows = [["", "here", *answers]]
    for name, title in names.items():
        row = [title, str(own.get(name))]
        for answer in answers.values():
            there = answer.found.get(name)
            row.append(f"{there}{' *' if name in _MUST and there != own.get(name) else ''}")
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
