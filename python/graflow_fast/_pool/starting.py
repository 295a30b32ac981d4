"""Starting a pool: what its processes are given by the program, and why it may not have any.

Owns what workers find around them, how deep pools may be nested, and the words for what stands in the way. Must not
know how processes are started.
"""

import errno
import os
import sys

from graflow_fast._pool.cores import thread_environment
from graflow_fast._wire.imports import is_importing

#: What the coordinator has open for a pool, and for each of its workers, while they are started.
_OWN_DESCRIPTORS = 8
_DESCRIPTORS_PER_WORKER = 7
#: Pools may be started by workers of pools, but only so deep: a module that starts one when it is imported would go on
#: for ever.
_DEEPEST = 4
_DEPTH = "GRAFLOW_FAST_DEPTH"

_RUNS_WHEN_IMPORTED = (
    "A module runs a workflow when it is imported, and worker processes import it to find its functions: put the call "
    'of execute() behind `if __name__ == "__main__":`, or into a function'
)


class CannotStart(RuntimeError):
    """Worker processes can't be started."""


def check_nesting() -> None:
    """Refuse to start workers of workers without end.

    Raises:
        CannotStart: a module starts them when it is imported, or there are too many pools around this process.
    """
    if (_depth() and is_importing()) or _is_being_spawned():
        raise CannotStart(_RUNS_WHEN_IMPORTED)
    if _depth() >= _DEEPEST:
        raise CannotStart(
            f"A pool of workers was asked for inside of {_DEEPEST} others, each in a worker of the one before. "
            "Let the outermost run do the work, or give those inside executor='inline'"
        )


def boot(loop: str) -> dict[str, object]:
    """Return what workers find around them: the program's own, and the loop that they run."""
    return {
        "loop": loop,
        "path": [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)],
        "argv": [str(argument) for argument in sys.argv],
        "cwd": os.getcwd(),
        "prefix": sys.prefix,
        "exec_prefix": sys.exec_prefix,
        "graflow": stands_for_graflow(),
    }


def cannot_start(workers: int, error: Exception) -> CannotStart:
    """Return the error that says why so many workers can't be started."""
    reason = str(getattr(error, "strerror", None) or error)
    text = f"A pool of {workers} worker processes can't be started: {reason}."
    if reason == os.strerror(errno.EMFILE):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        text += (
            f" This program may have {limit} files open, and needs {_OWN_DESCRIPTORS} for a pool and "
            f"{_DESCRIPTORS_PER_WORKER} for each worker: raise the limit (ulimit -n), close files, "
            "or use fewer workers."
        )
    return CannotStart(text)


def _depth() -> int:
    """Return how many pools this process is inside of."""
    depth = os.environ.get(_DEPTH, "")
    return int(depth) if depth.isdecimal() else 0


def stands_for_graflow() -> bool:
    """Say whether ``import graflow`` means this package in this program, as it then does in its workers."""
    alias = sys.modules.get("graflow_fast._alias")
    return alias is not None and bool(alias.is_installed())


def _is_being_spawned() -> bool:
    """Say whether this is a process of `multiprocessing`'s that imports its program's main file."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(getattr(process.current_process(), "_inheriting", False))


def environment(workers: int) -> dict[str, str]:
    """Return the environment of a pool of so many workers."""
    return {**os.environ, **thread_environment(workers), _DEPTH: str(_depth() + 1)}
