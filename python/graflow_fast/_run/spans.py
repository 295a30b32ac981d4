"""That spans of bodies lie below their attempt's: what a recorded run does for it while it goes.

Owns putting a span in the place of the one around the run, and taking it away. Whose span it is when a body asks is
`_body/attempt_spans.py`'s; spans of attempts are made of the record, by `_record/spans.py`.
"""

from __future__ import annotations

import sys
from typing import Any

from graflow_fast._body.attempt_spans import span_of_attempts


class Traced:
    """A run that is within a span.

    Attributes:
        header: what its record says of it: ``traceparent``, and perhaps ``tracestate``, of the span around, and what
            makes the ids of its attempts.
    """

    def __init__(self, trace: Any, around: Any) -> None:
        from importlib import import_module
        from secrets import token_hex

        propagation = import_module("opentelemetry.trace.propagation.tracecontext")
        self._trace, self._context = trace, import_module("opentelemetry.context")
        self.header: dict[str, str] = {"attempts": token_hex(8)}
        propagation.TraceContextTextMapPropagator().inject(self.header)
        self._span = span_of_attempts(trace, around, self.header["attempts"])
        self._token = self._context.attach(trace.set_span_in_context(self._span))

    @classmethod
    def begin(cls) -> Traced | None:
        """Return the run that begins in this thread if it is within a span, else None."""
        trace = sys.modules.get("opentelemetry.trace")
        around = None if trace is None else trace.get_current_span()
        return cls(trace, around) if around is not None and around.get_span_context().is_valid else None

    def end(self) -> None:
        """Put the span around back; of a stream whose reader is in another one by now it is gone already."""
        if self._trace.get_current_span() is self._span:
            self._context.detach(self._token)
