"""A worker's first steps after the fork, and its last.

Owns the process's surroundings: descriptors, signals, death with the parent, where tracebacks of crashes go. Must not
know tasks: that is the loop's, which gets a link and runs until there is no more to do.
"""

from __future__ import annotations

# A cold start waits for these: see `template`.
import atexit
import faulthandler
import gc
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any, NoReturn
else:
    import _signal as signal


def preload() -> None:
    """Import, in the template, what every worker needs for its first task."""
    import graflow_fast._core
    import graflow_fast._stacks
    import graflow_fast._worker.loop  # noqa: F401


def preload_rest() -> None:
    """Import, in the template, what most workers need sooner or later."""
    try:
        import graflow_fast._wire.pickling
        import graflow_fast._worker.bodies
        import graflow_fast._worker.complaints
        import graflow_fast._worker.program.state
        import graflow_fast._worker.sharing  # noqa: F401
    except ImportError:
        pass  # what is missing will be missed by the task that needs it


def close_descriptors(keep: set[int]) -> None:
    """Close all others. By what is open: the limit can be a thousand million."""
    for name in _open_descriptors():
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them


def _open_descriptors() -> list[str]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return os.listdir(folder)
        except OSError:  # not mounted
            continue
    return [str(number) for number in range(_MOST_LOOKED_FOR)]


#: Where nobody says which descriptors are open.
_MOST_LOOKED_FOR = 4096


def main(template: int, boot: dict[str, Any], link: int, claims: int, journal: int, *given: int) -> NoReturn:
    """Become a worker; called in the forked child.

    How it ends is no message, since bodies may end it in any way: whether it had begun a task, and that it lost its
    link, stands in the claim table, which bodies don't know.
    """
    code = 1
    try:
        gc.enable()  # it may be off in the template
        os.setpgid(0, 0)
        *kept, out, error, news = given
        _arrange_descriptors({link, claims, journal, *kept, news}, out, error)
        from graflow_fast import _core, _stacks
        from graflow_fast._worker import output

        output.use_journal(journal)
        output.use_pipes(kept[2:], kept[:2], news)

        if not _core.die_with_parent(template):
            os._exit(0)
        _volunteer_for_the_oom_killer()
        faulthandler.enable(2)
        _stacks.listen(_stacks.WORKER)
        signal.signal(signal.SIGINT, _ignore)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _take_surroundings(boot)
        if not _COVERAGE.isdisjoint(os.environ):
            _measure_coverage()
        module, _, name = boot["loop"].partition(":")
        __import__(module)
        run = getattr(sys.modules[module], name)
        os.dup(claims)  # for whoever looks from outside since when the task runs; the link keeps no descriptor
        worker_link = _core.WorkerLink(link, claims)
        try:
            run(worker_link)
        except OSError:
            if not worker_link.running.ticket:
                raise
            os._exit(code)  # a body has closed the link; bodies' own errors do not come here
        atexit._run_exitfuncs()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc(file=sys.__stderr__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        os._exit(code)


#: What coverage.py sets, or its user, so that processes which a program starts are measured too.
_COVERAGE = frozenset(("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"))


def _measure_coverage() -> None:
    """Have coverage.py measure this worker: its own start hook is read by ``site``, which workers leave out."""
    try:
        coverage: Any = __import__("coverage")
    except ImportError:  # the variable is another program's
        return
    coverage.process_startup()


def _arrange_descriptors(own: set[int], stdout: int, stderr: int) -> None:
    """Put the standard ones in place and close all that is not this worker's."""
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    close_descriptors(keep={0, 1, 2, *own})
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)  # type: ignore[misc]


def _stream(descriptor: int, former: Any) -> Any:
    """Return a stream in the place of the template's, which believes that it can be moved in its file."""
    raw: Any = io.FileIO(descriptor, "w", closefd=False)
    raw.name = former.name
    made: Any = io.TextIOWrapper(raw, former.encoding, "backslashreplace", line_buffering=True, write_through=True)
    made.mode = "w"
    return made


def _volunteer_for_the_oom_killer() -> None:
    """When memory runs out a worker should die, which costs one try of one task, and not the user's program."""
    try:
        with open("/proc/self/oom_score_adj", "r+") as file:
            score = int(file.read())
            file.seek(0)
            file.write(str(min(1000, score + 300)))
    except OSError:
        pass


def _take_surroundings(boot: dict[str, Any]) -> None:
    sys.path[:] = boot["path"]
    sys.argv[:] = boot["argv"]
    sys.prefix, sys.exec_prefix = boot["prefix"], boot["exec_prefix"]
    try:
        os.chdir(boot["cwd"])
    except OSError:
        pass  # it is gone; tasks that need it will say so
    if boot["graflow"]:
        from graflow_fast._alias import install

        install()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the coordinator decides when work stops."""
