"""What can go wrong with a workflow as a whole: its definition, its options, its run.

Owns the roots of all errors. Must not know who raises them, nor errors of single bodies.
"""

from __future__ import annotations

from graflow_fast._messages import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: So many tasks are named in a message.
_NAMED = 5


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


class EnvironmentMismatchError(ConfigError):
    """On none of an engine's workers bodies of this program can run; nothing has run.

    Attributes:
        engine: The engine.
        table: What is there, beside what is here; a star marks what must be the same.
    """

    def __init__(self, engine: str, table: str) -> None:
        super().__init__(
            f"No worker of {engine} has what this program needs. Install the same versions there (a star marks what "
            f"differs):\n{table}"
        )
        self.engine = engine
        self.table = table


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


def as_runtime_error(ex: BaseException) -> GraflowRuntimeError:
    """`ex` itself if it is a `GraflowRuntimeError` already, otherwise one that has it as its cause."""
    if isinstance(ex, GraflowRuntimeError):
        return ex
    return GraflowRuntimeError(f"An error occurred: {text_of(ex)}", cause=ex)
