"""What others than its own bodies want of a run: that it ends, by a thread or by its deadline, or to be told something.

Owns who asked first, what the caller of the run sees of it, and the deadline's clock. It changes nothing by itself:
the scheduler is told, and ends the run with its next action, in the driver's thread. Must not know handles.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast.exceptions import DeadlineExceededError, GraflowWorkflowCanceledError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._core import Scheduler
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run those outside concern."""

        context: ExecutionContext
        settings: Settings
        scheduler: Scheduler
        nodes: NodeTable
        failures: Failures
        places: Places
        closed: bool


#: How somebody outside ends a run.
CANCEL, TERMINATE, DEADLINE, INTERRUPT, UNANSWERED = "cancel", "terminate", "deadline", "interrupt", "feedback_timeout"

#: Seconds between two looks whether the driver has begun a body, and so answers nobody.
_LOOK = 0.05


class Outside:
    """What those outside of one run have asked for.

    Attributes:
        asked: whether somebody wants the run to end.
        in_body: whether the driver's thread runs a body of a map, and answers nobody meanwhile.
    """

    def __init__(self, run: Parts) -> None:
        self._run = run
        self.asked = False
        self.in_body = False
        #: How the run is ended and with which message, by whoever came first.
        self._end: list[tuple[str, str]] = []
        #: Whoever is told that he ends the run is the one who does.
        self._guard = allocate_lock()
        self._questions: deque[_Question] = deque()
        self._timer: threading.Timer | None = None
        self._driver = get_ident()

    # --- ending it

    def end(self, how: str, message: str = "") -> bool:
        """End the run before anything else starts, from any thread; False when it has ended, or is about to."""
        run = self._run
        own = how, message
        self._end.append(own)
        with self._guard:
            if run.closed or self._end[0] is not own or not run.scheduler.stop(how not in (TERMINATE, UNANSWERED)):
                return False
            self.asked = True
        run.places.wake()
        return True

    def has_ended_it(self) -> bool:
        """Say whether it is somebody outside that ends the run, which has just come to its end."""
        with self._guard:
            return self.asked

    def take_end(self) -> BaseException | None:
        """Note in the context how the run was ended from outside; return the error that its caller sees."""
        run = self._run
        how, message = self._end[0]
        context = run.context
        if how == INTERRUPT:
            context.stop_reason = "failed"
            return KeyboardInterrupt()
        if how == DEADLINE:
            context.stop_reason = "deadline"
            names = sorted(run.nodes.names[node] for node in run.failures.given_up)
            assert run.settings.deadline is not None, "only a deadline ends a run so"
            return DeadlineExceededError(run.settings.deadline, names)
        context.ctrl_message = message
        if how == UNANSWERED:
            context.stop_reason = UNANSWERED
        if how in (TERMINATE, UNANSWERED):
            return None
        return GraflowWorkflowCanceledError(message)

    @property
    def meets_body(self) -> bool:
        """Whether whoever comes from outside meets the driver's thread in a body."""
        return self.in_body or self._run.places.inline.in_body

    # --- the deadline

    def begin(self) -> None:
        """The run begins, in this thread: start the deadline's clock, if it has one."""
        self._driver = get_ident()
        if self._run.settings.deadline is not None:
            import threading

            self._timer = threading.Timer(self._run.settings.deadline, self.end, (DEADLINE,))
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """The run has ended: stop the clock, and answer whoever still waits."""
        if self._timer is not None:
            self._timer.cancel()
        self.answer()

    # --- questions

    def ask(self, function: Callable[[], Any]) -> Any:
        """Call a function where it sees the run between two actions, from any thread, and return what it returns.

        That is the driver's thread, or this one while the driver's is in a body or the run has ended.
        """
        import threading

        run = self._run
        if get_ident() == self._driver:
            return function()
        question = _Question(function, threading.Event())
        self._questions.append(question)
        run.scheduler.call()
        run.places.wake()
        while not question.answered.is_set():
            if run.closed or self.meets_body:
                self.answer()
            question.answered.wait(_LOOK)
        return question.result()

    def answer(self) -> None:
        """Answer what was asked."""
        while self._questions:
            try:
                question = self._questions.popleft()
            except IndexError:  # another thread took it
                return
            question.answer()


class _Question:
    """A call that somebody outside waits for."""

    def __init__(self, function: Callable[[], Any], answered: threading.Event) -> None:
        self._function = function
        self._outcome: tuple[Any, Exception | None] = (None, None)
        self.answered = answered

    def answer(self) -> None:
        """Do the call."""
        try:
            self._outcome = self._function(), None
        except Exception as error:
            self._outcome = None, error
        self.answered.set()

    def result(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        value, error = self._outcome
        if error is not None:
            raise error
        return value
