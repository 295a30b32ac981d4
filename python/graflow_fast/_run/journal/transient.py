"""Results that a durable run does not write down, but makes again when somebody reads them (``transient=True``).

Owns the value and how it is made once more. Which tasks have such results is their definition's to say.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from graflow_fast._body.scope import BranchChannel
from graflow_fast._messages import message_of
from graflow_fast.core import registry
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._body.scope import LiveStore
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._run.attempts.attempt import Attempt

    class Parts(Protocol):
        """What of a run calls a body again."""

        bodies: Bodies
        live: LiveStore


_NOT_MADE: Any = object()


class Transient:
    """A result that is there in this process, or is made when it is first read; all readers share it."""

    __slots__ = ("_lock", "_make", "_value")

    def __init__(self, value: Any = _NOT_MADE, make: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._make = make
        self._lock = threading.RLock()

    def __reduce__(self) -> Any:
        return _itself, (self.value(),)

    def value(self) -> Any:
        """Return the result.

        Raises:
            GraflowRuntimeError: its task's body failed when it was called again.
        """
        with self._lock:
            if self._value is _NOT_MADE:
                assert self._make is not None
                self._value = self._make()
                self._make = None
            return self._value


def _itself(value: Any) -> Any:
    return value


def made_again(run: Parts, attempt: Attempt) -> Transient:
    """Return the result of an attempt that ended in an earlier process; its body runs again when somebody reads it.

    What the body writes and asks for then has been done before, and is dropped.
    """
    return Transient(make=lambda: _call_again(run, attempt))


def _call_again(run: Parts, attempt: Attempt) -> Any:
    branch = attempt.branch
    context = copy.copy(branch.context)
    channel = branch.channel
    context.channel = run.live.branch_channel(f"{channel.name}_again", channel, run.live)
    assert isinstance(context.channel, BranchChannel)
    task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
    context.current_task_context = task_context
    outer, registry.running.task_context = registry.running.task_context, task_context
    try:
        return run.bodies.call(attempt, context, task_context)
    except Exception as error:
        raise GraflowRuntimeError(
            f"The result of task '{attempt.task_id}' is transient, and its body failed when it was called again: "
            f"{message_of(error)}",
            cause=error,
        ) from error
    finally:
        registry.running.task_context = outer
