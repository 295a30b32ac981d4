"""`WorkflowRun`: the handle on a run that goes on in a thread of its own, and the loop's view of one for ``asyncio``.

Owns the thread, whoever waits for the run, and what becomes of a failure that nobody asks for. How a run is ended is
the driver's; nothing here knows schedulers or places.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import weakref
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Protocol

from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core.running import Process, running
from graflow_fast.exceptions import GraflowRuntimeError, GraflowWorkflowCanceledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast.core.context import ExecutionContext

#: Seconds that a run gets to stop by itself after Ctrl-C, and then because its body is interrupted.
_GRACE, _PATIENCE = 0.1, 1.0

#: The runs that have not ended, or failed without anybody having asked for it: the program's end waits for them.
_open: weakref.WeakSet[WorkflowRun] = weakref.WeakSet()


class Driver(Protocol):
    """What a handle asks of the run that it stands for."""

    def execute(self) -> Any:
        """Run to the end and return the last task's result, or raise what ended the run."""

    def end(self, how: str, message: str = "") -> bool:
        """End the run as ``"cancel"``, ``"terminate"`` or ``"interrupt"``; False when it has ended."""

    def in_body(self) -> bool:
        """Say whether the thread that executes it is in a body now."""

    def explain_from_outside(self, task_id: str) -> str:
        """Say in one sentence what became of a task so far."""


class WorkflowRun:
    """A run that `WorkflowContext.start` has begun. Any thread may use it.

    A body in a worker is stopped at once when the run is ended; one in a thread of this process can't be: the run ends
    when it returns (``executor="inline"``), or without waiting for it (``"thread"``).

    Attributes:
        context: the run's `ExecutionContext`.
        name: the workflow's name.
    """

    def __init__(self, name: str, context: ExecutionContext, driver: Driver, *, with_context: bool = False) -> None:
        self.name = name
        self.context = context
        self._driver = driver
        self._with_context = with_context
        self._future: Future[Any] = Future()
        #: Whether somebody has been told how it ended.
        self._heard = False
        #: Whether it was this handle that ended it.
        self._ended_here = False

    def begin(self, surroundings: contextvars.Context) -> None:
        """Begin, in a thread of its own which sees the context variables of ``surroundings``."""
        _let_program_wait()
        _open.add(self)
        self._future.set_running_or_notify_cancel()
        # A daemon: the program's end waits for the run itself, so Ctrl-C can end it.
        arguments = self._driver.execute, self._future, [self]
        work = threading.Thread(
            target=surroundings.run, args=(_work, *arguments), name=f"graflow_fast run of {self.name}", daemon=True
        )
        self._thread = work
        work.start()

    # --- ending it

    def cancel(self, message: str = "Workflow canceled") -> bool:
        """End the run with an error: `result` raises `GraflowWorkflowCanceledError` with this message.

        Returns:
            False when the run has ended already, or something else is ending it.
        """
        return self._end("cancel", message)

    def terminate(self, message: str = "") -> bool:
        """End the run well: nothing further starts, and `result` returns what the last completed task returned.

        Returns:
            False when the run has ended already, or something else is ending it.
        """
        return self._end("terminate", message)

    def _end(self, how: str, message: str = "") -> bool:
        ended = self._driver.end(how, message)
        self._ended_here = self._ended_here or ended
        return ended

    # --- waiting for it

    def done(self) -> bool:
        """Say whether the run has ended, however."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended; False when it has not after ``timeout`` seconds (default: no limit)."""
        try:
            self._wait(timeout)
        except TimeoutError:
            return False
        return True

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the run and return what `WorkflowContext.execute` would have returned.

        Args:
            timeout: seconds to wait at most; default: no limit. The run goes on after that.

        Raises:
            TimeoutError: the run has not ended in time.
            GraflowRuntimeError: as `WorkflowContext.execute` raises it.
        """
        error = self.exception(timeout)
        if error is None:
            result = self._future.result()
            return (result, self.context) if self._with_context else result
        try:
            raise error
        finally:
            del error, self  # which the traceback would hold

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the run and return what it failed with, None when it did not.

        Args:
            timeout: seconds to wait at most; default: no limit.

        Raises:
            TimeoutError: the run has not ended in time.
        """
        self._wait(timeout)
        self._heard = True
        return self._future.exception()

    def _wait(self, timeout: float | None) -> None:
        if self._asked_by_its_task():
            raise GraflowRuntimeError(
                f"A task of workflow '{self.name}' waits for the run that it belongs to, which can't end meanwhile. "
                "Wait for it outside of its tasks"
            )
        try:
            self._future.exception(timeout)
        except FutureTimeoutError:
            raise TimeoutError(f"The run of workflow '{self.name}' has not ended after {timeout:g} s") from None
        except KeyboardInterrupt:
            self.interrupt()
            raise

    def _asked_by_its_task(self) -> bool:
        """Say whether a task of this run is running in this thread."""
        context = getattr(running.task_context, "execution_context", None)
        return context is not None and context._run is not None and context._run is self.context._run

    def add_done_callback(self, function: Callable[[WorkflowRun], object]) -> None:
        """Have a function called with this handle when the run has ended: in the run's thread, or now if it has.

        What the function raises is logged.
        """
        self._future.add_done_callback(lambda _: function(self))

    # --- looking at it

    def explain(self, task_id: str) -> str:
        """Say in one sentence why a task ran, waits, was skipped or failed, as far as the run has come."""
        return self._driver.explain_from_outside(task_id)

    def __repr__(self) -> str:
        state = "running"
        if self.done():
            state = "failed" if self._future.exception() is not None else str(self.context.stop_reason)
        return f"<WorkflowRun of '{self.name}': {state}>"

    # --- the end of it, and of the program

    def interrupt(self) -> None:
        """End the run as Ctrl-C does, and give it a moment."""
        if self.done() or not self._end("interrupt"):
            return
        self._thread.join(_GRACE)
        if self._driver.in_body():
            # As in the main thread, where Ctrl-C would have met it; and threads that are in a body when the interpreter
            # ends may take it down with them.
            _raise_in(self._thread, KeyboardInterrupt)
        self._thread.join(_PATIENCE)

    def report_unheard(self) -> None:
        """Show a failure that nobody has asked for."""
        if self._heard or not self.done():
            return
        self._heard = True
        error = self._future.exception()
        if error is None or (self._ended_here and isinstance(error, (GraflowWorkflowCanceledError, KeyboardInterrupt))):
            return
        import logging

        logging.getLogger("graflow_fast").error(
            "A run of workflow '%s' failed, and nobody has asked for its result()", self.name, exc_info=error
        )

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.report_unheard()


def _work(execute: Callable[[], Any], future: Future[Any], box: list[WorkflowRun]) -> None:
    """Do the run, in its thread. Holds the handle until it has ended, but not by an exception's frames."""
    held = box.pop()
    try:
        result = execute()
    except BaseException as error:
        future.set_exception(show_user_lines(error))
    else:
        future.set_result(result)
    finally:
        del held


def _raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    """Have an exception raised in another thread, as soon as it runs Python code."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))


def refuse_in_worker(name: str) -> None:
    """Say that no run can be started here, if this is a worker process.

    Raises:
        GraflowRuntimeError: it is.
    """
    if Process.is_worker:
        raise GraflowRuntimeError(
            f"start() of workflow '{name}' was called by a task in a worker process, which may end before the run. "
            'Call execute() there, or keep the task in the calling process with @task(handler="direct")'
        )


def _let_program_wait() -> None:
    """See to it that the program does not end before its runs have."""
    global _is_awaited
    if not _is_awaited:
        _is_awaited = True
        # Before threads are waited for; `concurrent.futures` uses it, too. What `atexit` calls comes too late.
        threading._register_atexit(_wait_for_open)  # type: ignore[attr-defined]


_is_awaited = False


def _wait_for_open() -> None:
    """Wait for the runs that go on when the main program has ended; after Ctrl-C end them."""
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    for run in list(_open):
        if interrupted:
            run.interrupt()
            continue
        try:
            run.wait()
            run._thread.join()  # which calls those who want to hear of the end
        except KeyboardInterrupt:
            interrupted = True
    for run in list(_open):
        run.report_unheard()
