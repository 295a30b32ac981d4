"""Bodies in threads of this process: submit, and collect their outcomes in the driver's thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from graflow_fast._run.output import CapturedThreads, Piece, capture
from graflow_fast.core import registry
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run


class _DaemonThreads:
    """Threads that call what they are given; one whose body does not return does not keep the program from ending."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, work: Callable[[], None]) -> None:
        self._work.put(work)
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._serve, name=f"graflow_fast_{self._threads - 1}", daemon=True).start()

    def end(self) -> None:
        """Let the threads go; what has not begun never does."""
        while True:
            try:
                self._work.get_nowait()
            except queue.Empty:
                break
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # and all it holds, while there is nothing to do
            self._idle.release()


class Threads:
    """The thread pool of one run."""

    def __init__(self, workers: int, captured: CapturedThreads) -> None:
        self._executor = _DaemonThreads(workers)
        self._outcomes: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._captured = captured
        self._captured.__enter__()
        self._busy = 0

    def busy(self) -> bool:
        """Say whether a body is under way."""
        return self._busy > 0

    def submit(self, run: Run, attempt: Attempt) -> None:
        """Have a body run in a thread."""
        self._busy += 1
        attempt.branch.context  # noqa: B018 - make it here, in the driver's thread
        self._executor.submit(lambda: self._run(run, attempt))

    def submit_call(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Have ``work`` called in a thread, and ``done`` with its result in the driver's thread."""
        self._busy += 1
        self._executor.submit(lambda: self._outcomes.put((done, work())))

    def collect(self, run: Run, timeout: float | None) -> None:
        """Wait for an outcome and report it, and all others that are there."""
        try:
            outcome = self._outcomes.get(timeout=timeout) if timeout != 0.0 else self._outcomes.get_nowait()
        except queue.Empty:
            return
        while True:
            if len(outcome) == 2:
                self._busy -= 1
                outcome[0](outcome[1])
            else:
                self._report(run, *outcome)
            try:
                outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return

    def close(self) -> None:
        """Let go of the threads; a body that was abandoned goes on until it returns, unheard."""
        self._executor.end()
        self._captured.__exit__()

    def _run(self, run: Run, attempt: Attempt) -> None:
        context = attempt.branch.context
        task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
        registry.running.task_context = task_context
        context.current_task_context = task_context
        result: Any = None
        raised: BaseException | None = None
        with nullcontext([]) if run.live_output else capture() as pieces:
            try:
                result = run.call_body(attempt, context, task_context)
            except BaseException as error:
                raised = error
        registry.running.task_context = None
        self._outcomes.put((attempt, result, raised, task_context.directives, pieces))

    def _report(
        self,
        run: Run,
        attempt: Attempt,
        result: Any,
        raised: BaseException | None,
        directives: Any,
        pieces: list[Piece],
    ) -> None:
        self._busy -= 1
        attempt.branch.context.current_task_context = None
        if run.running.pop(attempt.ticket, None) is None:
            return
        attempt.branch.output.write(pieces)
        if raised is not None:
            run.failed(attempt, raised)
        else:
            run.reported(attempt, result, directives)
