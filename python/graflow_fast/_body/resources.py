"""A body that takes resources: what tells libraries how many threads and which GPUs are its own, while it runs.

Owns the variables and the claims of GPUs. Which bodies run at once is decided elsewhere: there are never more of them
than there are GPUs. Must not know of scheduling.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

from graflow_fast._body.awaited import awaited
from graflow_fast._body.injected import function_of
from graflow_fast.core.resources import CPUS, GPUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graflow_fast.core.definition import Definition

#: What OpenMP, OpenBLAS, MKL, numexpr and Accelerate read when they are first imported.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_DEVICES = "CUDA_VISIBLE_DEVICES"

#: Threads that are one of several in which bodies run: the environment is not theirs alone.
shared_threads = threading.local()


def body_of(definition: Definition, run: str) -> Callable[..., Any]:
    """Return how to call a body: the function itself, or what gives it its resources meanwhile.

    Args:
        definition: whose body it is.
        run: what tells the run from others on this machine: its session's id.
    """
    if definition.resources is None:
        return function_of(definition)
    return _Body(definition, run)


class _Body:
    """A body with what its task takes."""

    def __init__(self, definition: Definition, run: str) -> None:
        self._definition = definition
        self._function = function_of(definition)
        self._run = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the body; what it returns is awaited here, so that it runs to its end with its resources."""
        definition = self._definition
        if getattr(shared_threads, "are_shared", False):
            return awaited(self._function(*args, **kwargs))
        amounts = dict(definition.resources or ())
        with contextlib.ExitStack() as stack:
            variables: dict[str, str] = {}
            if CPUS in amounts:
                threads = max(1, int(amounts[CPUS]))
                variables.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
                stack.enter_context(_threads(threads))
            if GPUS in amounts:
                variables[_DEVICES] = ",".join(stack.enter_context(_devices(self._run, int(amounts[GPUS]))))
            stack.enter_context(_environment(variables))
            return awaited(self._function(*args, **kwargs))


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for a while; what the body makes of them is gone with it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _threads(count: int) -> contextlib.AbstractContextManager[Any]:
    """Return what limits the threads of libraries that are loaded already, where threadpoolctl is installed."""
    try:
        import threadpoolctl  # type: ignore[import-untyped]
    except ImportError:
        return contextlib.nullcontext()
    limits: contextlib.AbstractContextManager[Any] = threadpoolctl.threadpool_limits(limits=count)
    return limits


@contextlib.contextmanager
def _devices(run: str, count: int) -> Iterator[list[str]]:
    """Claim so many GPUs for this body alone; return their names in ``CUDA_VISIBLE_DEVICES``.

    A claim is a socket's name: the system gives one to one process at a time, and takes it back however that ends.
    """
    visible = os.environ.get(_DEVICES)
    names = None if visible is None else [each.strip() for each in visible.split(",") if each.strip()]
    import socket

    claims: list[socket.socket] = []
    claimed: list[str] = []
    try:
        index = 0
        while len(claimed) < count:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0graflow_fast-{run}-gpu-{index}")
            except OSError:  # another body's
                claim.close()
            else:
                claims.append(claim)
                claimed.append(str(index) if names is None else names[index % len(names)])
            index += 1
        yield claimed
    finally:
        for claim in claims:
            claim.close()
