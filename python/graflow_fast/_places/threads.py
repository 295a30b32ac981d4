"""Bodies in threads of this process: start them, tell their outcomes in the driver's thread, give them up.

Owns the threads of one run. Nobody can stop a thread from outside: a body that is given up before it begins never
begins, and one that has begun ends when it next prints or uses its channel. Its thread does nothing else any more, so
no other body waits behind it.
"""

from __future__ import annotations

import contextvars
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from graflow_fast._body.captured import CapturedThreads, FlowingPieces, GivenUp, Pieces, capture, check_given_up
from graflow_fast._body.resources import shared_threads
from graflow_fast.core import registry
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Branch, Map, TaskAttempt
    from graflow_fast._places.host import Host
    from graflow_fast._places.place import ItemPlace

#: Seconds for bodies that were given up to end by themselves before ``execute()`` returns.
_PATIENCE = 0.1

WAITING, RUNNING, ENDED, GIVEN_UP = range(4)


class Job:
    """One call in a thread. Whoever takes a step first, its thread or the driver, decides what becomes of it."""

    __slots__ = ("_guard", "_state", "branch", "context", "done", "pieces", "ran", "ticket", "work")

    def __init__(
        self,
        ticket: int,
        branch: Branch | None,
        work: Callable[[Pieces], Any],
        done: Callable[[Any, Pieces], None],
        pieces: Pieces,
    ) -> None:
        self.ticket = ticket
        self.branch = branch
        self.work = work
        self.done = done
        self.pieces = pieces
        #: The number of the thread that did it, and when it began and ended, on the monotonic clock.
        self.ran = (-1, 0.0, 0.0)
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


class _Question:
    """A call that a body needs the driver's thread for."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.answered = threading.Event()
        self._function = function
        self._result: Any = None
        self._raised: Exception | None = None

    def answer(self) -> None:
        """Do the call, in the driver's thread."""
        try:
            self._result = self._function()
        except Exception as error:
            self._raised = error
        self.answered.set()

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        if self._raised is not None:
            raise self._raised
        return self._result


def _nothing() -> None:
    pass


class Threads:
    """The threads of one run, and what they have to do."""

    def __init__(
        self, most: int, live: bool = False, ran: Callable[[int, int, float, float], object] | None = None
    ) -> None:
        """Begin no thread yet.

        Args:
            most: so many there may be.
            live: whether what bodies print is shown as they print it.
            ran: is told, in the driver's thread and before the outcome, of which job which thread was at work when:
                ticket, number of the thread, beginning and end in seconds of the monotonic clock.
        """
        self._most = most
        self._ran = ran
        #: Whether what bodies print is shown as they print it.
        self._live = live
        self._threads: list[threading.Thread] = []
        #: How many threads take jobs: those of bodies that were given up do not.
        self._serving = 0
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[Job | None, Any]] = queue.SimpleQueue()
        self._driver = threading.get_ident()
        #: Who is woken by a byte there when there is an outcome, -1 for nobody; threads that end late may still ask.
        self._wake_descriptor = -1
        self._waking = threading.Lock()
        #: By ticket: what was neither reported nor given up.
        self._jobs: dict[int, Job] = {}

    def busy(self) -> bool:
        """Say whether a body is under way that somebody waits for."""
        return bool(self._jobs)

    def submit_call(
        self,
        ticket: int,
        branch: Branch | None,
        work: Callable[[Pieces], Any],
        done: Callable[[Any, Pieces], None],
        flows: bool = False,
    ) -> None:
        """Have ``work`` called in a thread, then ``done`` in this one with its result and what it printed.

        Args:
            ticket: by which it may be given up.
            branch: the branch that has nothing else under way, None where others use its channel, too.
            work: is given what takes its output; raises nothing but `GivenUp`.
            done: is given what ``work`` returned, and its output.
            flows: whether its output may be shown at once.
        """
        pieces = FlowingPieces() if flows or self._live else Pieces()
        job = self._jobs[ticket] = Job(ticket, branch, work, done, pieces)
        self._waiting.put(job)
        self._start_thread()

    def uses_channel(self, ticket: int, branch: Branch) -> None:
        """Note that the body of a job has the channel of a branch, in which nothing else is under way."""
        job = self._jobs.get(ticket)
        if job is None:
            branch.refuse()
        else:
            job.branch = branch

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

    def collect(self, timeout: float | None) -> bool:
        """Wait for an outcome and report it, and all others that are there; False when there was none in time."""
        any_came = False
        try:
            self._report(*(self._outcomes.get_nowait() if timeout == 0.0 else self._outcomes.get(timeout=timeout)))
            while True:
                any_came = True
                self._report(*self._outcomes.get_nowait())
        except queue.Empty:
            return any_came

    def wake(self, descriptor: int) -> None:
        """Write a byte to that descriptor when there is an outcome from now on; -1: no longer."""
        with self._waking:
            self._wake_descriptor = descriptor

    def _put(self, job: Job | None, outcome: Any) -> None:
        """Leave an outcome for the driver's thread, and wake it."""
        self._outcomes.put((job, outcome))
        with self._waking:
            if self._wake_descriptor >= 0:
                # Full of bytes that nobody has read: it is awake.
                with suppress(BlockingIOError):
                    os.write(self._wake_descriptor, b"\0")

    def wake_driver(self) -> None:
        """Let the driver's thread collect, though there is nothing new."""
        self._put(None, _Question(_nothing))

    def call_in_driver(self, function: Callable[[], Any]) -> Any:
        """Call a function in the driver's thread, which collects meanwhile or will do so; return its result.

        Raises:
            GivenUp: the body that asks for it is not waited for any more.
        """
        if threading.get_ident() == self._driver:
            return function()
        question = _Question(function)
        self._put(None, question)
        while not question.answered.wait(_PATIENCE):
            check_given_up()
            if not self._most:  # nobody collects any more
                raise GivenUp
        return question.result()

    def _report(self, job: Job | None, outcome: Any) -> None:
        if job is None:
            outcome.answer()
            return
        if self._jobs.pop(job.ticket, None) is not None:  # else it was given up when it had ended
            if self._ran is not None:
                self._ran(job.ticket, *job.ran)
            job.done(outcome, job.pieces)

    def close(self, interrupted: bool = False) -> None:
        """Let go of the threads; a body that does not end goes on unheard."""
        self.wake(-1)
        self._most = 0  # what waits shall not begin in the place of what is given up
        for ticket in list(self._jobs):
            self.give_up(ticket)
        for _ in range(self._serving):
            self._waiting.put(None)
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        """Start a thread if there is a job for it and not enough of them; the run may do with fewer.

        Raises:
            GraflowRuntimeError: not even one can be started.
        """
        if self._serving >= min(self._most, len(self._jobs)):
            return
        captured = CapturedThreads()
        captured.__enter__()  # here, so what bodies print is kept from the first one on
        name = f"graflow_fast_{len(self._threads)}"
        # A daemon: a body that does not return does not keep the program from ending.
        thread = threading.Thread(target=self._serve, args=(captured, len(self._threads)), name=name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            if not self._serving:
                raise _no_thread(error) from error
            self._most = self._serving
        finally:
            if thread.ident is None:  # else the thread itself ends what it began
                captured.__exit__()
            else:
                self._threads.append(thread)
                self._serving += 1

    def _serve(self, captured: CapturedThreads, number: int) -> None:
        shared_threads.are_shared = True
        try:
            while (job := self._waiting.get()) is not None:
                if job.step(WAITING, RUNNING):
                    began = time.monotonic()
                    with capture(job.pieces):
                        outcome = job.context.run(job.work, job.pieces)
                    job.ran = number, began, time.monotonic()
                    if not job.step(RUNNING, ENDED):
                        return
                    self._put(job, outcome)
                    del outcome
                del job  # and all it holds, while there is nothing to do
        except GivenUp:
            return
        finally:
            captured.__exit__()


class ThreadPlace(Threads):
    """The threads of one run as the place that its tasks run in."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.settings.resolved_workers(), host.live_output, host.scheduler.ran)
        self._host = host

    def submit(self, attempt: TaskAttempt) -> None:
        """Have a body run in a thread."""
        bodies, running = self._host.bodies, self._host.attempts.running
        context = attempt.prepare()  # made here, in the driver's thread
        running[attempt.ticket] = attempt

        def work(pieces: Pieces) -> tuple[Any, BaseException | None, Any]:
            task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
            registry.running.task_context = context.current_task_context = task_context
            result: Any = None
            raised: BaseException | None = None
            try:
                result = bodies.call(attempt, context, task_context)
            except BaseException as error:
                raised = error
            registry.running.task_context = None
            return result, raised, task_context.directives

        def done(outcome: tuple[Any, BaseException | None, Any], pieces: Pieces) -> None:
            result, raised, directives = outcome
            context.current_task_context = None
            bodies.ran()
            del running[attempt.ticket]
            attempt.branch.output.write(pieces)
            if raised is not None:
                attempt.failed(raised)
            else:
                attempt.returned(result, directives)

        self.submit_call(attempt.ticket, attempt.branch, work, done, attempt.branch.flows())

    def for_map(self, owner: Map) -> ItemPlace:
        """Return where the items of a map run here."""
        from graflow_fast._places.items import ThreadItems

        return ThreadItems(self._host, owner, self)


def _no_thread(error: BaseException) -> GraflowRuntimeError:
    return GraflowRuntimeError(
        "The system can't start a thread for the bodies of this run. Raise the limit of processes and threads "
        "(ulimit -u, or that of the container), end other threads of the program, or run the bodies in the calling "
        'thread: executor="inline".',
        error,
    )
