"""What can befall one task: its limits, its worker's death, what can't cross to a worker, changes that are lost.

Owns these errors and warnings, whose messages are complete without their causes. Must not know who raises them.
"""

from __future__ import annotations

from graflow_fast._messages import bytes_words, crash_words, lost_mutation_words, text_of
from graflow_fast.exceptions._workflows import GraflowRuntimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class TaskFailure(GraflowRuntimeError):
    """What the errors below share: they are about one task, and their message is complete without its cause."""

    def __init__(self, task_id: str, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message, cause)
        self.task_id = task_id

    def __str__(self) -> str:
        return Exception.__str__(self)


class StepLimitExceededError(TaskFailure):
    """One task was executed suspiciously often, so the run was stopped instead of looping for ever.

    Attributes:
        task_id: The task.
        executions: How often it has been executed in this run.
        limit: How often it may be.
    """

    def __init__(self, task_id: str, executions: int, limit: int) -> None:
        super().__init__(
            task_id,
            f"Task '{task_id}' was executed {executions} times in one run, more than the limit of {limit}: "
            "its loop seems never to end. Check what should leave the loop, or pass max_steps to stop a run quietly.",
        )
        self.executions = executions
        self.limit = limit


class TaskSerializationError(TaskFailure):
    """Something that has to travel to or from a worker process can't be pickled.

    Attributes:
        task_id: The task.
        what: What had to travel, in words: ``"argument 'db'"``, ``"the result"``, ...
        path: Where inside it the offending part is, as an expression: ``"db.pool[0]"``; empty if unknown.
    """

    def __init__(self, task_id: str, what: str, path: str = "", cause: BaseException | None = None) -> None:
        place = f", because of {path}" if path else ""
        reason = f": {text_of(cause).rstrip('. ')}" if cause is not None else ""
        super().__init__(
            task_id,
            f"Task '{task_id}': {what} can't be sent between processes{place}{reason}. Open or create it inside the "
            'task, or keep the task in the calling process with @task(handler="direct").',
            cause,
        )
        self.what = what
        self.path = path


class JournalMismatchError(TaskFailure):
    """A durable run can't go on with this program: it is not the one that began it.

    Attributes:
        task_id: The task that the journal and the program don't agree on.
        reason: How they differ.
    """

    def __init__(self, task_id: str, reason: str) -> None:
        super().__init__(
            task_id,
            f"Task '{task_id}': this run can't go on from its journal: {reason}. Put back what was there, or begin a "
            "new run under another name.",
        )
        self.reason = reason


class WorkerCrashedError(TaskFailure):
    """The worker process died while it was running a task.

    Attributes:
        task_id: The task that was running.
        attempt: Which try of it this was; the first is 1.
        signal: Number of the signal that killed the worker, or None.
        exit_code: The worker's exit status if it ended by itself, or None.
        peak_memory: The most memory the worker ever held, in bytes, or None if unknown.
        stderr_tail: The last lines that it wrote to standard error.
        trace: Its Python stack at the moment of the crash, if it could still be written.
        reason: Why it was stopped, if it did not end by itself: it had broken its link to the coordinator.
        deaths: How many workers have died under this task, if that is why it is not tried again; else 0.
    """

    def __init__(
        self,
        task_id: str,
        attempt: int,
        signal: int | None = None,
        exit_code: int | None = None,
        peak_memory: int | None = None,
        stderr_tail: str = "",
        trace: str = "",
        reason: str = "",
        deaths: int = 0,
    ) -> None:
        super().__init__(
            task_id,
            crash_words(task_id, attempt, signal, exit_code, peak_memory, stderr_tail, trace, reason, deaths),
        )
        self.attempt = attempt
        self.signal = signal
        self.exit_code = exit_code
        self.peak_memory = peak_memory
        self.stderr_tail = stderr_tail
        self.trace = trace
        self.reason = reason
        self.deaths = deaths


class TaskTimeoutError(TaskFailure):
    """A task ran longer than its ``timeout``, so its worker was stopped.

    Attributes:
        task_id: The task.
        attempt: Which try of it this was; the first is 1.
        timeout: The time it was allowed, in seconds.
    """

    def __init__(self, task_id: str, attempt: int, timeout: float) -> None:
        super().__init__(
            task_id,
            f"Task '{task_id}' (attempt {attempt}) ran longer than its timeout of {timeout:g} s and was stopped. "
            "Raise timeout, or give the task max_retries.",
        )
        self.attempt = attempt
        self.timeout = timeout


class TaskMemoryError(TaskFailure):
    """A task used more memory than its ``memory_limit``, so its worker was stopped.

    Attributes:
        task_id: The task.
        attempt: Which try of it this was; the first is 1.
        limit: The memory it was allowed, in bytes.
        peak: The most it was seen to hold, in bytes, or None if unknown.
    """

    def __init__(self, task_id: str, attempt: int, limit: int, peak: int | None = None) -> None:
        seen = f" (it reached {bytes_words(peak)})" if peak is not None else ""
        super().__init__(
            task_id,
            f"Task '{task_id}' (attempt {attempt}) went over its memory_limit of {bytes_words(limit)}{seen} and was "
            "stopped. Raise memory_limit, or split the work into smaller tasks.",
        )
        self.attempt = attempt
        self.limit = limit
        self.peak = peak


class RemoteTaskError(TaskFailure):
    """Stands in for an exception of a task that could not be brought back from a worker process.

    Attributes:
        task_id: The task, or "" if not known where the stand-in was made.
        type_name: The original exception's class, as ``module.Name``.
        message: What ``str()`` of the original gave.
        traceback: The original traceback, formatted.
        type_names: The names of its class and of all that this derives from, in the same way.
    """

    def __init__(
        self, task_id: str, type_name: str, message: str, traceback: str = "", type_names: Sequence[str] = ()
    ) -> None:
        who = f"Task '{task_id}' raised " if task_id else ""
        what = f"{type_name}: {message}" if message else type_name
        text = f"{who}{what} (this stands in for the original exception, which can't be pickled)"
        if traceback.strip():
            text += f"\n\nIn the worker:\n{traceback.rstrip()}"
        super().__init__(task_id, text)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        self.type_names = tuple(type_names) or (type_name,)


class LostMutationError(TaskFailure):
    """As `LostMutationWarning`, raised instead of it under ``GRAFLOW_FAST_LOST_MUTATION=error``.

    Attributes:
        task_id: The task.
        variables: The names of the captured variables that it changed.
    """

    def __init__(self, task_id: str, variables: Sequence[str]) -> None:
        super().__init__(task_id, lost_mutation_words(task_id, variables))
        self.variables = tuple(variables)


class LostMutationWarning(UserWarning):
    """A task changed a captured variable in a worker process, where nobody else sees the change.

    Attributes:
        task_id: The task.
        variables: The names of the captured variables (closures or globals) that it changed.
    """

    def __init__(self, task_id: str, variables: Sequence[str]) -> None:
        super().__init__(lost_mutation_words(task_id, variables))
        self.task_id = task_id
        self.variables = tuple(variables)

    @property
    def said(self) -> tuple[str, ...]:
        """What one warning is enough for."""
        return self.variables

    def __reduce__(self) -> tuple[type[LostMutationWarning], tuple[str, tuple[str, ...]]]:
        return type(self), (self.task_id, self.variables)


class NotCachedWarning(UserWarning):
    """A task with ``cache=True`` ran, and will run again: its result could not be taken from the cache, or kept there.

    Attributes:
        task_id: The name of the task's function.
        reason: Why.
    """

    def __init__(self, task_id: str, reason: str) -> None:
        super().__init__(f"Task '{task_id}': {reason}")
        self.task_id = task_id
        self.reason = reason

    @property
    def said(self) -> tuple[str, ...]:
        """What one warning is enough for."""
        return (self.reason,)

    def __reduce__(self) -> tuple[type[NotCachedWarning], tuple[str, str]]:
        return type(self), (self.task_id, self.reason)
