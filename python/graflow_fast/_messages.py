"""Words that messages of errors are made of. Knows no errors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGKILL = 9  # `signal` is slow to import


def message_of(error: BaseException) -> str:
    """What ``str()`` gives of an exception; of one whose class fails at that, what it is and how that failed."""
    try:
        return str(error)
    except Exception as broken:
        return f"{type(error).__name__} (its message can't be shown: {type(broken).__name__})"


def text_of(error: BaseException) -> str:
    """The same; of an exception without a message, its class."""
    return message_of(error) or type(error).__name__


def lost_mutation_words(task_id: str, variables: Sequence[str]) -> str:
    """That a task has changed what it captured, and what to do about it."""
    names = ", ".join(f"'{name}'" for name in variables)
    return (
        f"Task '{task_id}' changed {names} inside a worker process, and the caller does not see that change. Return "
        'the value or put it into the channel, or keep the task in the calling process with @task(handler="direct").'
    )


def signal_name(number: int) -> str:
    """A signal's name."""
    from signal import Signals  # slow to import

    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_words(exit_code: int | None) -> str:
    """How a process ended that no signal killed."""
    return "disappeared" if exit_code is None else f"ended by itself with exit code {exit_code}"


def bytes_words(count: int) -> str:
    """A number of bytes in the largest unit that leaves more than nothing."""
    amount = float(count)
    for unit in ("bytes", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"


def crash_words(
    task_id: str,
    attempt: int,
    signal: int | None,
    exit_code: int | None,
    peak_memory: int | None,
    stderr_tail: str,
    trace: str,
    reason: str,
    deaths: int,
) -> str:
    """What there is to say of a worker that died; see `WorkerCrashedError`."""
    how = f"was killed by {signal_name(signal)}" if signal is not None else exit_words(exit_code)
    if reason:
        how = f"was stopped, because {reason}"
    parts = [f"The worker process running task '{task_id}' (attempt {attempt}) {how}."]
    if peak_memory is not None:
        parts.append(f"Its memory had peaked at {bytes_words(peak_memory)}.")
    if signal == _SIGKILL and not reason:
        parts.append("If nobody killed it by hand, the machine probably ran out of memory: run fewer workers.")
    if deaths:
        parts.append(f"{deaths} workers have died running it, so it is not tried again, whatever its max_retries.")
    else:
        parts.append("Give the task max_retries if it may simply run again.")
    message = " ".join(parts)
    for title, text in (("Where it was", trace), ("Its last output on stderr", stderr_tail)):
        if text.strip():
            message += f"\n{title}:\n{text.rstrip()}"
    return message
