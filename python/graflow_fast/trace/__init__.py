"""Following what a run does.

`NoopTracer` (the default) only remembers the order of execution, `ConsoleTracer` prints, and a subclass of `Tracer`
does whatever it likes with the same events.
"""

from graflow_fast.trace.base import Tracer
from graflow_fast.trace.console import ConsoleTracer
from graflow_fast.trace.noop import NoopTracer

__all__ = ["ConsoleTracer", "NoopTracer", "Tracer"]
