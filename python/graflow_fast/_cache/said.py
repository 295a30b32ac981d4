"""What bodies of this process log and warn of as plain values, which can be kept and shown in another process."""

from __future__ import annotations

import pickle
from typing import Any

from graflow_fast._body.output import LOG, RECORD, WARNED, WARNING

__all__ = ["as_crossing"]


def as_crossing(piece: tuple[int, Any]) -> tuple[int, Any]:
    """Return a piece of output in the form in which those of workers cross."""
    kind, content = piece
    if kind == RECORD:
        return LOG, described(content[0])
    if kind == WARNED:
        message, category, filename, lineno, *_ = content
        return WARNING, (str(message), category, filename, lineno, None)
    return piece


def described(record: Any) -> dict[str, Any]:
    """Return what a log record says; of what can't be pickled, its text."""
    import logging

    content = dict(record.__dict__)
    if record.args:
        content["msg"], content["args"] = record.getMessage(), None
    if record.exc_info:
        content["exc_text"] = logging.Formatter().formatException(record.exc_info)
    content["exc_info"] = None
    return {name: value if value is None or type(value) in (str, int, float, bool) else _kept(value)
            for name, value in content.items()}  # fmt: skip


def _kept(value: Any) -> Any:
    try:
        pickle.dumps(value)
    except Exception:
        from graflow_fast.core._texts import text_of

        return text_of(value)
    return value
