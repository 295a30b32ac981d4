"""Following what a run does.

`NoopTracer` (the default) only remembers the order of execution, `ConsoleTracer` prints, and a subclass of `Tracer`
does whatever it likes with the same events.
"""

from typing import TYPE_CHECKING

from graflow_fast.core.noop_tracer import NoopTracer
from graflow_fast.core.tracer import Tracer

if TYPE_CHECKING:
    from graflow_fast.trace.console import ConsoleTracer

__all__ = ["ConsoleTracer", "NoopTracer", "Tracer"]


if not TYPE_CHECKING:  # so that type checkers still find names that don't exist

    def __getattr__(name: str) -> object:
        if name == "ConsoleTracer":
            from graflow_fast.trace.console import ConsoleTracer

            return ConsoleTracer
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
