"""Setting in this process what the program has set in its own.

Owns what was set last, and how all of it becomes as in a fresh interpreter again: the next run of the program may have
set less. Imported when there is something to set. What the log needs is `logs`', variables of modules are `variables`'.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import Any

from graflow_fast._wire import crossing
from graflow_fast._wire.imports import when_imported
from graflow_fast._worker import surroundings
from graflow_fast._worker.program import logs, variables

#: What is set now, and its number.
_state: dict[str, Any] = {}
number = 0
#: What was here before anything was set.
_fresh: dict[str, Any] = {}
_tokens: list[tuple[Any, Any]] = []


def set_state(new_number: int, content: bytes) -> None:
    """Set what the program has set, unless something later is set already."""
    global number, _state
    if new_number <= number:
        return
    number = new_number
    before, _state = _state, crossing.loads(content) if content else {}
    for kind, put in _KINDS.items():
        if before.get(kind) != _state.get(kind):
            with suppress(Exception):  # a module that is another one here
                put(_state.get(kind))


def set_again() -> None:
    """Set what a body, or a module that was imported since, has changed."""
    for kind in ("recursion", "digits", "warnings", "decimal", "numpy errors", "numpy printing", "socket timeout"):
        if kind in _state:
            with suppress(Exception):
                _KINDS[kind](_state[kind])
    logs.set_again()


def _put_recursion_limit(limit: int | None) -> None:
    surroundings.use_recursion_limit(limit or _first("recursion", sys.getrecursionlimit))


def _put_most_digits(digits: int | None) -> None:
    sys.set_int_max_str_digits(_first("digits", sys.get_int_max_str_digits) if digits is None else digits)


def _put_warning_filters(filters: Any) -> None:
    warnings.resetwarnings()
    # How often an equal one is shown is for the program's process to say, which hears of all.
    warnings.simplefilter("always")
    for action, message, category, module, line in reversed(filters or ()):
        kind = _found(*category)
        if kind is not None:
            action = action if action in ("ignore", "error") else "always"
            entry = action, _compiled(message), kind, _compiled(module), line
            warnings.filters.insert(0, entry)  # type: ignore[attr-defined]
    warnings.simplefilter("always", append=True)  # which also tells that there are others


def _compiled(pattern: Any) -> Any:
    if type(pattern) is not tuple:
        return pattern
    import re

    return re.compile(*pattern)


def _found(module: str, name: str) -> Any:
    """Return the class of that name, imported if need be; None when there is none here."""
    found: Any = sys.modules.get(module)
    if found is None:
        try:
            __import__(module)
        except Exception:
            return None
        found = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def _put_decimal_context(state: Any) -> None:
    when_imported("decimal", lambda decimal: _put_decimal(decimal, state))


def _put_decimal(decimal: Any, state: Any) -> None:
    if state is None:
        decimal.setcontext(decimal.DefaultContext.copy())
        return
    *numbers, traps = state
    names = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    context = decimal.Context(
        **dict(zip(names, numbers, strict=True)), traps=[getattr(decimal, trap) for trap in traps]
    )
    decimal.setcontext(context)


def _put_numpy_errors(errors: Any) -> None:
    def put(numpy: Any) -> None:
        before = _first("numpy errors", numpy.geterr)
        numpy.seterr(**(errors or before))

    when_imported("numpy", put)


def _put_numpy_printing(options: Any) -> None:
    def put(numpy: Any) -> None:
        before = _first("numpy printing", numpy.get_printoptions)
        known = before.keys() - {"override_repr", "formatter"}
        chosen = options or before
        numpy.set_printoptions(**{name: value for name, value in chosen.items() if name in known})

    when_imported("numpy", put)


def _put_socket_timeout(seconds: Any) -> None:
    when_imported("socket", lambda socket: socket.setdefaulttimeout(seconds))


def _put_context(values: Any) -> None:
    while _tokens:
        variable, token = _tokens.pop()
        with suppress(ValueError, RuntimeError):
            variable.reset(token)
    for module, name, data in values or ():
        when_imported(module, partial(_put_variable, name, data))


def _put_variable(name: str, data: bytes, module: Any) -> None:
    variable = getattr(module, name, None)
    if variable is not None:
        _tokens.append((variable, variable.set(crossing.loads(data))))


def _put_span(carrier: Any) -> None:
    """Let spans of bodies lie below that around the run, or their attempt's, once a body has imported the library."""

    def put(_trace: Any) -> None:
        with suppress(Exception):  # an older library, or half of one
            from opentelemetry import context, propagate, trace

            from graflow_fast._body.attempt_spans import CARRIED, span_of_attempts

            found = propagate.extract(carrier or {}, context=context.Context())
            if carrier and CARRIED in carrier:
                span = span_of_attempts(trace, trace.get_current_span(found), carrier[CARRIED])
                found = trace.set_span_in_context(span, found)
            context.attach(found)

    when_imported("opentelemetry.trace", put)


def _first(kind: str, now: Any) -> Any:
    if kind not in _fresh:
        _fresh[kind] = now()
    return _fresh[kind]


_KINDS: dict[str, Any] = {
    "recursion": _put_recursion_limit,
    "digits": _put_most_digits,
    "warnings": _put_warning_filters,
    "log": logs.put,
    "decimal": _put_decimal_context,
    "numpy errors": _put_numpy_errors,
    "numpy printing": _put_numpy_printing,
    "socket timeout": _put_socket_timeout,
    "variables": variables.put,
    "context": _put_context,
    "span": _put_span,
}
surroundings.set_again = set_again
