"""Lets another process ask what this one is doing: at a signal, its Python stack is written to a file in memory.

Owns the signal and the file, on the side that is asked; who asks is `_commands/stacks.py`. The signal is handled in C,
so it is answered while C code holds the interpreter, and asking needs no more rights than being the same user. Nothing
is done until somebody asks. Must not know runs.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

#: What the files in memory are called: by this a process says that it may be asked, and what it is.
PROGRAM, WORKER = "graflow-stacks-program", "graflow-stacks-worker"
#: SIGRTMIN + 5 of the usual C library; ``signal`` is slow to import.
DEFAULT_SIGNAL = 39

_listens = False


def signal_number() -> int:
    """The signal that asks: ``GRAFLOW_FAST_STACK_SIGNAL``, else SIGRTMIN + 5; 0 (also for what is no number): none."""
    text = os.environ.get("GRAFLOW_FAST_STACK_SIGNAL", "")
    if not text:
        return DEFAULT_SIGNAL
    return int(text) if text.isdigit() and int(text) < 65 else 0


def listen(kind: str = PROGRAM) -> None:
    """Let this process be asked from now on; where the program has taken the signal for itself, it stays the program's.

    Args:
        kind: `PROGRAM` or `WORKER`. A worker shows the thread that runs its bodies, a program all of its threads.
    """
    global _listens
    if _listens:
        return
    _listens = True
    number = signal_number()
    if not number:
        return
    import faulthandler

    try:
        if _signal.getsignal(number) != _signal.SIG_DFL:
            return
        file = os.memfd_create(kind, os.MFD_CLOEXEC)
        os.fchmod(file, 0o600)
        # In a program bodies run in several threads. One thread is all that can be looked at without any risk while
        # others go on, and in a worker it is the one that matters.
        faulthandler.register(number, file, all_threads=kind == PROGRAM, chain=False)
    except (OSError, ValueError, RuntimeError, AttributeError):
        pass  # not on this system; then nobody can ask
