"""What a run tells the logger ``graflow_fast``: that it begins and ends, which attempts failed, which tasks,
which bodies are slow and which workers were lost.

Owns the levels and the words. A program that doesn't use `logging`, or has no handler, is told nothing, and pays
nothing: `logging` is never imported here.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from graflow_fast._body import log_records
from graflow_fast._run.attempts.failures import one_line
from graflow_fast.exceptions import RetryLimitExceededError

if TYPE_CHECKING:
    from graflow_fast._run.settings import Settings

__all__ = ["Log"]

NAME = "graflow_fast"
INFO, WARNING, ERROR = 20, 30, 40
#: Runs may begin and end in several threads at once.
_guard = threading.Lock()
#: What becomes of a run, and how that is said.
_ENDS = {
    "completed": (INFO, "completed"),
    "terminated": (INFO, "was terminated"),
    "max_steps": (WARNING, "stopped at max_steps"),
    "canceled": (WARNING, "was cancelled"),
    "failed": (ERROR, "failed"),
    "feedback_timeout": (INFO, "waits for an answer, and can be resumed"),
}


class _Fields(dict[str, Any]):
    """The attributes of a record, with a dash for each that it does not have."""

    def __missing__(self, name: str) -> str:
        return "-"


class Log:
    """The log of one run. Its records carry the name of the task that they are about, as those of its body do."""

    def __init__(self, logging: Any, workflow: str) -> None:
        self._logging = logging
        self._logger = logging.getLogger(NAME)
        self._workflow = workflow
        self._began = time.monotonic()
        self._begin_was_heard = False
        with _guard:
            log_records.install(logging)

    @classmethod
    def begin(cls, workflow: str, settings: Settings) -> Log | None:
        """Say that a run begins; None where no `logging` is in use."""
        logging: Any = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "getLogRecordFactory"):  # another thread is importing it
            return None
        log = cls(logging, workflow)
        log._begin_was_heard = log._is_heard(INFO)
        if log._begin_was_heard:
            executor = settings.resolved_executor()
            workers = "" if executor == "inline" else f", {settings.resolved_workers()} workers"
            log._say(INFO, "run of '%s' begins (%s%s)", workflow, executor, workers)
        return log

    def failed(self, task_id: str, number: int, error: BaseException, delay: float | None) -> None:
        """Say that an attempt failed.

        Args:
            task_id: the task's name, or that of an item of a map.
            number: 0 for the first attempt.
            error: what it failed with.
            delay: seconds until it is tried again; None: it is not.
        """
        level = ERROR if delay is None else WARNING
        if not self._is_heard(level):
            return
        if delay is None:
            tries = f" after {number + 1} attempts" if number else ""
            self._say(level, "task '%s' failed%s: %s", task_id, tries, one_line(error), task=task_id)
            return
        when = f" in {delay:.3g} s" if delay > 0 else ""
        words = "task '%s' failed in attempt %d, and is tried again%s: %s"
        self._say(level, words, task_id, number + 1, when, one_line(error), task=task_id)

    def hears_warnings(self) -> bool:
        """Say whether somebody listens to what should not be."""
        return self._is_heard(WARNING)

    def slow(self, task_id: str, more: int, seconds: float, others: float, pid: int) -> None:
        """Say that a body runs much longer than others of its function.

        Args:
            task_id: the task's name, or that of an item of a map.
            more: how many items run behind it in the same call.
            seconds: how long it has been running.
            others: how long others took on average.
            pid: the process of its worker.
        """
        if self._is_heard(WARNING):
            items = f" (with {more} more items)" if more else ""
            words = "task '%s'%s has been running for %.3g s, others took %.3g s (worker process %d)"
            self._say(WARNING, words, task_id, items, seconds, others, pid, task=task_id)

    def lost_worker(self, pid: int, how: str, then: str) -> None:
        """Say that a worker is gone, of which no task will tell; ``then``: what follows."""
        if self._is_heard(WARNING):
            self._say(WARNING, "worker process %d was lost (%s): %s", pid, how, then)

    def end(self, outcome: str, error: BaseException | None) -> None:
        """Say how the run ended."""
        with _guard:
            log_records.remove(self._logging)
        level, words = _ENDS.get(outcome, (WARNING, outcome))
        if isinstance(error, KeyboardInterrupt):
            level, words = WARNING, "was interrupted"
            error = None
        # A body may set up `logging` in this process: what went well is not news to who didn't hear of its begin.
        if self._is_heard(level) and (self._begin_was_heard or level > INFO):
            took = time.monotonic() - self._began
            self._say(level, "run of '%s' %s after %.3g s%s", self._workflow, words, took, _reason(error))

    def _is_heard(self, level: int) -> bool:
        """Say whether somebody listens: without a handler nothing is shown, not even what `logging` shows at last."""
        return bool(self._logger.isEnabledFor(level) and self._logger.hasHandlers())

    def _say(self, level: int, words: str, *arguments: Any, task: str | None = None) -> None:
        logger = self._logger
        record = logger.makeRecord(NAME, level, __file__, 0, words, arguments, None, "Log")
        # A program's format may ask for attributes that its own records have: those of runs must not break it.
        record.__dict__ = _Fields(record.__dict__)
        if task is not None:
            setattr(record, log_records.ATTRIBUTE, task)
        try:
            logger.handle(record)
        except Exception:  # a filter or handler of the program's: the run must not fail of it
            if self._logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()


def _reason(error: BaseException | None) -> str:
    """Return why a run failed: which task, and what its body raised, if that is known."""
    if error is None:
        return ""
    task = getattr(error, "task_id", None)
    raised = error.last_error if isinstance(error, RetryLimitExceededError) else None
    return f"{'' if task is None else f' in task {task!r}'}: {one_line(error if raised is None else raised)}"
