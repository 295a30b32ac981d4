"""The vocabulary of what can go wrong.

Owns every exception and warning that users can meet, and their wording. Must not know who raises them: nothing of
the scheduler, the pool or the workers is imported here.

All of them pickle and unpickle with their attributes and their ``__cause__``; see `exception_pickling`.
"""

from __future__ import annotations

from graflow_fast._messages import bytes_words, crash_words, lost_mutation_words, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: So many tasks are named in a message.
_NAMED = 5

__all__ = [
    "ConfigError",
    "CycleLimitExceededError",
    "DeadlineExceededError",
    "DuplicateTaskError",
    "GraflowError",
    "GraflowRuntimeError",
    "GraflowWorkflowCanceledError",
    "GraphCompilationError",
    "JournalMismatchError",
    "LostMutationError",
    "LostMutationWarning",
    "NotCachedWarning",
    "ParallelGroupError",
    "RemoteTaskError",
    "RetryLimitExceededError",
    "StepLimitExceededError",
    "TaskError",
    "TaskMemoryError",
    "TaskSerializationError",
    "TaskTimeoutError",
    "UnknownOptionError",
    "WorkerCrashedError",
    "as_runtime_error",
]


class GraflowError(Exception):
    """Root of everything this package raises on purpose.

    Args:
        message: What went wrong.
        cause: The error behind it, if any. It also becomes ``__cause__``, so tracebacks show it.
    """

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        if cause is not None:
            self.__cause__ = cause

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} (caused by {text_of(self.cause)})" if self.cause is not None else text

    def __reduce__(self) -> tuple[Callable[[bytes], BaseException], tuple[bytes]]:
        from graflow_fast._wire import exception_pickling

        return exception_pickling.unpack, (exception_pickling.pack(self),)


class GraflowRuntimeError(GraflowError):
    """A workflow could not run to its end."""


class GraphCompilationError(GraflowError):
    """The workflow's graph makes no sense: no start, several starts, a name used twice, ..."""


class ConfigError(GraflowError):
    """A setting, an option or a backend that does not exist or can't be used here."""


class UnknownOptionError(ConfigError, TypeError):
    """A keyword argument that does not exist; as for any function a `TypeError`, too."""


class DuplicateTaskError(GraphCompilationError):
    """Two different tasks of one graph have the same id.

    Args:
        task_id: The id that is taken.
        of: What has it, in words; default: the id itself.

    Attributes:
        task_id: The id that is taken.
    """

    def __init__(self, task_id: str, of: str | None = None) -> None:
        super().__init__(f"Duplicate task ID: {task_id if of is None else of}")
        self.task_id = task_id

    @classmethod
    def in_graph(cls, task_id: str) -> DuplicateTaskError:
        """Return the error for a graph that has a node of that id."""
        return cls(task_id, f"Node '{task_id}' already exists in graph")


class TaskError(GraflowRuntimeError):
    """Something is wrong with one particular task.

    Args:
        task_id: The task.
        message: What is wrong with it.
        cause: The error behind it, if any.
    """

    def __init__(self, task_id: str, message: str, cause: BaseException | None = None) -> None:
        super().__init__(f"Error in task '{task_id}': {message}", cause)
        self._task_id = task_id

    @property
    def task_id(self) -> str:
        """Id of the task."""
        return self._task_id


class CycleLimitExceededError(GraflowRuntimeError):
    """A task asked for one more iteration than its ``max_cycles`` allows.

    Attributes:
        task_id: The iterating task.
        cycle_count: How often it has run.
        max_cycles: How often it may run.
    """

    def __init__(self, task_id: str, cycle_count: int, max_cycles: int) -> None:
        super().__init__(f"Cycle limit exceeded for task {task_id}: {cycle_count}/{max_cycles} cycles")
        self.task_id = task_id
        self.cycle_count = cycle_count
        self.max_cycles = max_cycles

    def __str__(self) -> str:
        fields = f"task_id={self.task_id}, cycle_count={self.cycle_count}, max_cycles={self.max_cycles}"
        return f"CycleLimitExceededError({fields})"


class RetryLimitExceededError(GraflowRuntimeError):
    """A task failed, was retried as often as it may be, and failed again.

    Attributes:
        task_id: The failing task.
        retry_count: How often it was retried.
        max_retries: How often it may be retried.
        last_error: What its last attempt raised, if known.
    """

    def __init__(
        self, task_id: str, retry_count: int, max_retries: int, last_error: BaseException | None = None
    ) -> None:
        super().__init__(f"Retry limit exceeded for task {task_id}: {retry_count}/{max_retries} retries", last_error)
        self.task_id = task_id
        self.retry_count = retry_count
        self.max_retries = max_retries
        self.last_error = last_error

    def __str__(self) -> str:
        fields = f"task_id={self.task_id}, retry_count={self.retry_count}, max_retries={self.max_retries}"
        return f"RetryLimitExceededError({fields})"


class ParallelGroupError(GraflowRuntimeError):
    """A parallel group did not satisfy its policy.

    Attributes:
        group_id: The group.
        failed_tasks: ``(task_id, error message or None)`` of each member that counts as failed.
        successful_tasks: Ids of the members that completed.
    """

    def __init__(
        self,
        message: str,
        group_id: str,
        failed_tasks: Sequence[tuple[str, str | None]],
        successful_tasks: Sequence[str],
    ) -> None:
        super().__init__(message)
        self.group_id = group_id
        self.failed_tasks = failed_tasks
        self.successful_tasks = successful_tasks


class GraflowWorkflowCanceledError(GraflowRuntimeError):
    """A task, or another thread, cancelled the run. ``str()`` of it is exactly the message given there.

    Attributes:
        message: The reason given.
        task_id: The task that cancelled; None if it was no task.
    """

    def __init__(self, message: str, task_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.task_id = task_id


class DeadlineExceededError(GraflowRuntimeError):
    """A run took longer than its ``deadline``, so it was stopped.

    Attributes:
        deadline: The time it was allowed, in seconds.
        stopped: The names of the tasks that were stopped while they were running.
    """

    def __init__(self, deadline: float, stopped: Sequence[str] = ()) -> None:
        names = ", ".join(stopped[:_NAMED]) + (f" and {len(stopped) - _NAMED} more" if len(stopped) > _NAMED else "")
        running = f" while it was running {names}" if stopped else ""
        super().__init__(
            f"The workflow took longer than its deadline of {deadline:g} s, so it was stopped{running}. "
            "Raise deadline, or give slow tasks a timeout of their own."
        )
        self.deadline = deadline
        self.stopped = tuple(stopped)


class _TaskFailure(GraflowRuntimeError):
    """What the errors below share: they are about one task, and their message is complete without its cause."""

    def __init__(self, task_id: str, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message, cause)
        self.task_id = task_id

    def __str__(self) -> str:
        return Exception.__str__(self)


class StepLimitExceededError(_TaskFailure):
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


class TaskSerializationError(_TaskFailure):
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


class JournalMismatchError(_TaskFailure):
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


class WorkerCrashedError(_TaskFailure):
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


class TaskTimeoutError(_TaskFailure):
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


class TaskMemoryError(_TaskFailure):
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


class RemoteTaskError(_TaskFailure):
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


class LostMutationError(_TaskFailure):
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


def as_runtime_error(ex: BaseException) -> GraflowRuntimeError:
    """`ex` itself if it is a `GraflowRuntimeError` already, otherwise one that has it as its cause."""
    if isinstance(ex, GraflowRuntimeError):
        return ex
    return GraflowRuntimeError(f"An error occurred: {text_of(ex)}", cause=ex)
