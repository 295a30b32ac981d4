"""Keeping Ctrl-C and SIGTERM from tearing apart what must be done as a whole, such as starting processes.

Owns the postponement. A signal that comes inside acts at the end; a second one acts at once, since whoever sends two
means it. Only Python's own handlers are postponed: what the system does by itself leaves nothing that could be torn.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class postponed_signals:
    """While entered, the first SIGINT or SIGTERM waits. May be nested; does nothing outside of the main thread."""

    _depth = 0

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._came: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> postponed_signals:
        if threading.current_thread() is threading.main_thread() and postponed_signals._depth == 0:
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    # Noted before it is replaced: whatever interrupts this here, the right one is put back.
                    self._handlers[number] = handler
                    signal.signal(number, self._postpone)
        postponed_signals._depth += bool(self._handlers)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self._handlers:
            return
        postponed_signals._depth -= 1
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._postpone:
                signal.signal(number, handler)
        if self._came is not None:
            number, frame = self._came
            self._handlers[number](number, frame)

    def _postpone(self, number: int, frame: FrameType | None) -> None:
        if self._came is None:
            self._came = (number, frame)
        else:
            self._handlers[number](number, frame)
