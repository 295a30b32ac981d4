"""A worker's first steps after the fork, and its last.

Owns the process's surroundings: descriptors, signals, death with the parent, where tracebacks of crashes go. Must not
know tasks: that is the loop's, which gets a link and runs until there is no more to do.
"""

import atexit
import faulthandler
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

DEFAULT_LOOP = "graflow_fast._worker.loop:run"
#: The exit code of a worker whose loop could not even be imported: a new worker would fare no better.
CANNOT_START = 70


def preload() -> None:
    """Import, in the template, what every worker needs."""
    import importlib.util

    for module in ("cloudpickle", "graflow_fast._worker.loop"):
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)


def main(template: int, boot: dict[str, Any], link: int, claims: int, stdout: int, stderr: int) -> NoReturn:
    """Become a worker; called in the forked child."""
    code = CANNOT_START
    try:
        os.setpgid(0, 0)
        link, claims = _arrange_descriptors(link, claims, stdout, stderr)
        from graflow_fast import _core

        if not _core.die_with_parent(template):
            os._exit(0)
        faulthandler.enable(2)
        signal.signal(signal.SIGINT, _ignore)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _take_surroundings(boot)
        import importlib

        module, _, name = boot["loop"].partition(":")
        run = getattr(importlib.import_module(module), name)
        code = 1
        run(_core.WorkerLink(link, claims))
        atexit._run_exitfuncs()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(code)


def _arrange_descriptors(link: int, claims: int, stdout: int, stderr: int) -> tuple[int, int]:
    """Put the standard ones in place and close all that is not this worker's."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    keep = sorted((link, claims))
    os.closerange(3, keep[0])
    os.closerange(keep[0] + 1, keep[1])
    os.closerange(keep[1] + 1, os.sysconf("SC_OPEN_MAX"))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    return link, claims


def _take_surroundings(boot: dict[str, Any]) -> None:
    sys.path[:] = boot["path"]
    sys.argv[:] = boot["argv"]
    sys.prefix, sys.exec_prefix = boot["prefix"], boot["exec_prefix"]
    try:
        os.chdir(boot["cwd"])
    except OSError:
        pass  # it is gone; tasks that need it will say so


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the coordinator decides when work stops."""
