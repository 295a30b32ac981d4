"""The span that bodies of a recorded run are in: that of their attempt, which is made of the record after the run.

Owns a span that stands for these meanwhile. It looks at which body runs only when a span is begun below it, so bodies
that don't trace pay nothing. Must not import OpenTelemetry.
"""

from __future__ import annotations

from graflow_fast._span_ids import attempt_id
from graflow_fast.core.running import running

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CARRIED", "span_of_attempts"]

#: Under this name workers are told what makes the ids of a run its own.
CARRIED = "graflow-attempts"

_FORWARDED = (
    "add_event",
    "add_link",
    "record_exception",
    "set_attribute",
    "set_attributes",
    "set_status",
    "update_name",
)


def _attempt(context: Any) -> tuple[str, int, int]:
    """Return name, start and attempt of the body that has this context."""
    around, bracket, number = context.task_id.rpartition("[")
    if bracket and number.endswith("]") and number[:-1].isdigit():  # an item of a map
        return around, 0, 1
    return context._base_task_id, context.cycle_count, context.retry_count + 1


def span_of_attempts(trace: Any, around: Any, run: str) -> Any:
    """Return a span that is ``around`` outside of bodies, and within a body that of its attempt, for those below it.

    Args:
        trace: the module `opentelemetry.trace`.
        around: the span that the run is in.
        run: see `attempt_id`.
    """
    outside = running.task_context
    known = around.get_span_context()

    class SpanOfAttempts(trace.NonRecordingSpan):  # type: ignore[misc]
        attempts = run

        def get_span_context(self) -> Any:
            context = running.task_context
            if context is None or context is outside:
                return known
            number = attempt_id(run, *_attempt(context))
            return trace.SpanContext(known.trace_id, number, known.is_remote, known.trace_flags, known.trace_state)

        def is_recording(self) -> bool:
            return bool(around.is_recording())

    for name in _FORWARDED:
        if hasattr(around, name):  # not all versions have all of them
            setattr(SpanOfAttempts, name, staticmethod(getattr(around, name)))
    return SpanOfAttempts(known)
