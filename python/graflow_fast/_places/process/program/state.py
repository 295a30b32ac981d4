"""The state of the program's process that bodies see wherever they run, as workers are told of it.

Owns which state that is and its number: another one after each change, so that a worker knows what it has. What is as
in a fresh interpreter isn't told, and needs no module to be imported. Knows no runs and no pools.
`graflow_fast._worker.program` has the other end.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

from graflow_fast._body.attempt_spans import CARRIED
from graflow_fast._places.process.program.context import context_values
from graflow_fast._places.process.program.logs import log_state
from graflow_fast._places.process.program.variables import variables_state
from graflow_fast._wire import crossing

_RECURSION_LIMIT = 1000
_MOST_DIGITS = 4300
_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_PLAIN = (str, int, float, bool, type(None))


class ProgramState:
    """What workers were last told.

    Attributes:
        number: 0 as long as there was nothing to tell.
        content: what is told, as bytes.
    """

    def __init__(self) -> None:
        self.number = 0
        self.content = b""

    def look(self) -> tuple[int, bytes]:
        """Return the number and the content of the state as it is now."""
        found = _found()
        content = crossing.dumps(found) if found else b""
        if content != self.content:
            self.number += 1
            self.content = content
        return self.number, self.content


def _found() -> dict[str, Any]:
    """Return what is not as in a fresh interpreter, by its kind."""
    found: dict[str, Any] = {}
    for kind, look in _KINDS.items():
        with suppress(Exception):  # a module of that name which is another one, or is half imported
            state = look()
            if state:
                found[kind] = state
    return found


def _recursion_limit() -> int:
    limit = sys.getrecursionlimit()
    return 0 if limit == _RECURSION_LIMIT else limit


def _most_digits() -> int | None:
    digits = getattr(sys, "get_int_max_str_digits", int)()
    return None if digits in (_MOST_DIGITS, 0) else digits


def _warning_filters() -> tuple[Any, ...]:
    """Return the filters but for those that a fresh interpreter has."""
    filters = warnings.filters
    if len(filters) == len(_FRESH_FILTERS) and list(filters) == _FRESH_FILTERS:
        return ()
    return tuple([_described(*entry) for entry in filters])


def _described(action: str, message: Any, category: Any, module: Any, line: int) -> tuple[Any, ...]:
    where = category.__module__, category.__qualname__
    return action, _pattern(message), where, _pattern(module), line


def _pattern(compiled: Any) -> Any:
    return (compiled.pattern, compiled.flags) if hasattr(compiled, "pattern") else compiled


def _decimal_context() -> tuple[Any, ...]:
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return ()
    described = _of_decimal(decimal.getcontext())
    return () if described == _of_decimal(decimal.DefaultContext) else described


def _of_decimal(context: Any) -> tuple[Any, ...]:
    traps = tuple(sorted(signal.__name__ for signal, is_set in context.traps.items() if is_set))
    return context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps


def _numpy_errors() -> dict[str, str]:
    numpy = sys.modules.get("numpy")
    errors: dict[str, str] = {} if numpy is None else numpy.geterr()
    return {} if errors == _NUMPY_ERRORS else errors


def _numpy_printing() -> dict[str, Any]:
    """Return the options with which arrays are printed; functions of the program among them stay here."""
    numpy = sys.modules.get("numpy")
    options: dict[str, Any] = {} if numpy is None else numpy.get_printoptions()
    plain = {name: value for name, value in options.items() if type(value) in _PLAIN}
    return {} if all(_NUMPY_PRINTING.get(name, value) == value for name, value in plain.items()) else plain


def _socket_timeout() -> float | None:
    socket = sys.modules.get("socket")
    timeout: float | None = None if socket is None else socket.getdefaulttimeout()
    return timeout


def _span_around() -> dict[str, str]:
    """Return what OpenTelemetry tells others of the span that this thread is in, such as ``traceparent``."""
    trace = sys.modules.get("opentelemetry.trace")
    carrier: dict[str, str] = {}
    span = None if trace is None else trace.get_current_span()
    if span is not None and span.get_span_context().is_valid:
        import_module("opentelemetry.propagate").inject(carrier)
        attempts = getattr(span, "attempts", None)
        if attempts is not None:
            carrier[CARRIED] = attempts
    return carrier


#: What a fresh interpreter has without options (`-W`, `-X dev`); with them the filters are told as they are.
_FRESH_FILTERS: list[Any] = [
    ("default", None, DeprecationWarning, "__main__", 0),
    ("ignore", None, DeprecationWarning, None, 0),
    ("ignore", None, PendingDeprecationWarning, None, 0),
    ("ignore", None, ImportWarning, None, 0),
    ("ignore", None, ResourceWarning, None, 0),
]
_NUMPY_PRINTING = {
    "edgeitems": 3,
    "threshold": 1000,
    "precision": 8,
    "linewidth": 75,
    "suppress": False,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "floatmode": "maxprec",
    "override_repr": None,
}
_KINDS = {
    "recursion": _recursion_limit,
    "digits": _most_digits,
    "warnings": _warning_filters,
    "log": log_state,
    "decimal": _decimal_context,
    "numpy errors": _numpy_errors,
    "numpy printing": _numpy_printing,
    "socket timeout": _socket_timeout,
    "variables": variables_state,
    "context": context_values,
    "span": _span_around,
}

#: One for all pools of this process.
program_state = ProgramState()
