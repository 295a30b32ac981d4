"""Bodies in threads of this process: start them, report their outcomes in the driver's thread, give them up.

Owns the threads of one run. Nobody can stop a thread from outside: a body that is given up before it begins never
begins, and one that has begun ends when it next prints or uses its channel. Its thread does nothing else any more, so
no other body waits behind it.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from graflow_fast._run.output import CapturedThreads, GivenUp, Pieces, capture
from graflow_fast.core import registry
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.branches import Branch
    from graflow_fast._run.driver import Run

#: Seconds for bodies that were given up to end by themselves before ``execute()`` returns.
_PATIENCE = 0.1

WAITING, RUNNING, ENDED, GIVEN_UP = range(4)


class Job:
    """One call in a thread. Whoever takes a step first, its thread or the driver, decides what becomes of it."""

    __slots__ = ("_guard", "_state", "branch", "context", "done", "pieces", "ticket", "work")

    def __init__(
        self, ticket: int, branch: Branch | None, work: Callable[[Pieces], Any], done: Callable[[Any, Pieces], None]
    ) -> None:
        self.ticket = ticket
        self.branch = branch
        self.work = work
        self.done = done
        self.pieces = Pieces()
        #: What the caller's context variables are; what a body sets, others do not see.
        self.context = contextvars.copy_context()
        self._state = WAITING
        self._guard = threading.Lock()

    def step(self, before: int, after: int) -> bool:
        """Go from one state to another; False when it is in a third."""
        with self._guard:
            if self._state != before:
                return False
            self._state = after
            return True


class Threads:
    """The threads of one run, and what they have to do."""

    def __init__(self, most: int, live: bool = False) -> None:
        self._most = most
        #: Whether what bodies print is shown as they print it.
        self._live = live
        self._threads: list[threading.Thread] = []
        #: How many threads take jobs: those of bodies that were given up do not.
        self._serving = 0
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[Job, Any]] = queue.SimpleQueue()
        #: By ticket: what was neither reported nor given up.
        self._jobs: dict[int, Job] = {}

    def busy(self) -> bool:
        """Say whether a body is under way that somebody waits for."""
        return bool(self._jobs)

    def submit(self, run: Run, attempt: Attempt) -> None:
        """Have a body run in a thread."""
        context = attempt.branch.context  # made here, in the driver's thread

        def work(pieces: Pieces) -> tuple[Any, BaseException | None, Any]:
            task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
            registry.running.task_context = context.current_task_context = task_context
            result: Any = None
            raised: BaseException | None = None
            try:
                result = run.bodies.call(attempt, context, task_context)
            except BaseException as error:
                raised = error
            registry.running.task_context = None
            return result, raised, task_context.directives

        def done(outcome: tuple[Any, BaseException | None, Any], pieces: Pieces) -> None:
            result, raised, directives = outcome
            context.current_task_context = None
            run.bodies.ran()
            del run.attempts.running[attempt.ticket]
            attempt.branch.output.write(pieces)
            if raised is not None:
                run.outcomes.failed(attempt, raised)
            else:
                run.outcomes.returned(attempt, result, directives)

        self.submit_call(attempt.ticket, attempt.branch, work, done)

    def submit_call(
        self, ticket: int, branch: Branch | None, work: Callable[[Pieces], Any], done: Callable[[Any, Pieces], None]
    ) -> None:
        """Have ``work`` called in a thread, then ``done`` in this one with its result and what it printed.

        Args:
            ticket: by which it may be given up.
            branch: the branch that has nothing else under way, None where others use its channel, too.
            work: is given what takes its output; raises nothing but `GivenUp`.
            done: is given what ``work`` returned, and its output.
        """
        job = self._jobs[ticket] = Job(ticket, branch, work, done)
        self._waiting.put(job)
        self._start_thread()

    def give_up(self, ticket: int) -> bool:
        """Let nothing come of a job any more, and end it as soon as may be; False when there is no such job."""
        job = self._jobs.pop(ticket, None)
        if job is None:
            return False
        if not job.step(WAITING, GIVEN_UP) and job.step(RUNNING, GIVEN_UP):
            job.pieces.refuse()
            if job.branch is not None:
                job.branch.refuse()
            self._serving -= 1
            self._start_thread()
        return True

    def collect(self, timeout: float | None) -> None:
        """Wait for an outcome and report it, and all others that are there."""
        try:
            self._report(*(self._outcomes.get_nowait() if timeout == 0.0 else self._outcomes.get(timeout=timeout)))
            while True:
                self._report(*self._outcomes.get_nowait())
        except queue.Empty:
            return

    def _report(self, job: Job, outcome: Any) -> None:
        if self._jobs.pop(job.ticket, None) is not None:  # else it was given up when it had ended
            job.done(outcome, job.pieces)

    def close(self) -> None:
        """Let go of the threads; a body that does not end goes on unheard."""
        for ticket in list(self._jobs):
            self.give_up(ticket)
        for _ in range(self._serving):
            self._waiting.put(None)
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        """Start a thread if there is a job for it and not enough of them."""
        if self._serving < min(self._most, len(self._jobs)):
            captured = CapturedThreads()
            captured.__enter__()  # here, so what bodies print is kept from the first one on
            self._serving += 1
            name = f"graflow_fast_{len(self._threads)}"
            # A daemon: a body that does not return does not keep the program from ending.
            thread = threading.Thread(target=self._serve, args=(captured,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, captured: CapturedThreads) -> None:
        try:
            while (job := self._waiting.get()) is not None:
                if job.step(WAITING, RUNNING):
                    with nullcontext() if self._live else capture(job.pieces):
                        outcome = job.context.run(job.work, job.pieces)
                    if not job.step(RUNNING, ENDED):
                        return
                    self._outcomes.put((job, outcome))
                    del outcome
                del job  # and all it holds, while there is nothing to do
        except GivenUp:
            return
        finally:
            captured.__exit__()
