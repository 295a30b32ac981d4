"""Bodies that are async, or return something that is to be awaited: run to their end on an event loop.

Owns the loops: one for each thread in which such bodies run, reused from body to body. In a thread where a loop is
running already (a notebook's, a web server's) a thread beside it has the loop. Imported with the first such body, since
``asyncio`` is slow to import. Must not know who called the body.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, TypeVar

from graflow_fast.core.running import running
from graflow_fast.exceptions import GraflowRuntimeError

_Result = TypeVar("_Result")


class _OwnLoop:
    """An event loop that is closed when its thread ends, or the program."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        weakref.finalize(self, self.loop.close)


class _Loops(threading.local):
    """The loop of the thread that asks, None before it has run a body."""

    own: _OwnLoop | None = None


_loops = _Loops()


def outcome_of(result: Any) -> Any:
    """Return what a body returned; of what is to be awaited, what that gives.

    Raises:
        BaseException: what it raises; with the traceback that begins at the user's own lines.
    """
    if not inspect.isawaitable(result):
        return result
    if asyncio._get_running_loop() is None:
        return _finish(result)
    return _beside(lambda: _finish(result))


def _finish(awaitable: Awaitable[_Result]) -> _Result:
    """Run something awaitable to its end on this thread's loop."""
    own = _loops.own
    if own is None or own.loop.is_closed():
        own = _loops.own = _OwnLoop()
    try:
        ended = own.loop.run_until_complete(_caught(awaitable))
    finally:
        _end_others(own.loop)
    if not isinstance(ended, _Raised):
        return ended
    if isinstance(ended.error, asyncio.CancelledError):
        raise GraflowRuntimeError("The body was cancelled: asyncio.CancelledError left it") from ended.error
    try:
        raise ended.error
    finally:
        del ended  # whose traceback holds this frame


class _Raised:
    """What a body raised, with the traceback that begins at the user's own lines: the loop would add its own."""

    def __init__(self, error: BaseException) -> None:
        trace = error.__traceback__
        self.error = error.with_traceback(None if trace is None else trace.tb_next)


async def _caught(awaitable: Awaitable[_Result]) -> _Result | _Raised:
    """Return what something awaitable gives, or what it raises."""
    try:
        return await awaitable
    except BaseException as error:
        return _Raised(error)


def _end_others(loop: asyncio.AbstractEventLoop) -> None:
    """End what the body has left on the loop: it would go on with the next one."""
    if left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    if getattr(loop, "_asyncgens", True):
        loop.run_until_complete(loop.shutdown_asyncgens())


def _beside(work: Callable[[], _Result]) -> _Result:
    """Call a function in a thread beside this one, which waits, as if it were this one."""
    from graflow_fast._body.captured import captured_as_here

    task_context = running.task_context
    done: Future[_Result] = Future()

    def call() -> None:
        running.task_context = task_context
        try:
            with captured or nullcontext():
                done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    captured = captured_as_here()
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(call,), name="graflow_fast loop", daemon=True
    )
    thread.start()
    return done.result()
