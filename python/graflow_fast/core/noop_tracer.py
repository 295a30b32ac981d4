"""The default tracer.

Owns nothing of its own: it remembers what was executed, as every tracer does, and shows nothing.
"""

from __future__ import annotations

from graflow_fast.core.tracer import Metadata, Tracer

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["NoopTracer"]


class NoopTracer(Tracer):
    """Remembers what was executed and shows nothing.

    It is ``silent`` as long as nothing of it is overridden, neither in a subclass nor on the instance; then the engine
    skips the hooks.

    Args:
        enable_runtime_graph: Whether to remember at all.
    """

    silent = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not _METHODS.isdisjoint(vars(cls)):
            cls.silent = False

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _METHODS:
            super().__setattr__("silent", False)

    def clone(self, trace_id: str) -> NoopTracer:
        """A tracer for one branch, which remembers nothing."""
        branch = NoopTracer.__new__(NoopTracer)  # there is one for each member of a group
        branch.__dict__.update(enable_runtime_graph=False, _record=None, _event_time=None, _current_trace_id=trace_id)
        return branch

    def _output_trace_start(self, name: str, trace_id: str | None, metadata: Metadata | None) -> None:
        pass

    def _output_trace_end(self, name: str, output: Any, metadata: Metadata | None) -> None:
        pass

    def _output_span_start(self, name: str, parent_name: str | None, metadata: Metadata | None) -> None:
        pass

    def _output_span_end(self, name: str, output: Any, metadata: Metadata | None) -> None:
        pass

    def _output_event(self, name: str, parent_span: str | None, metadata: Metadata | None) -> None:
        pass

    def _output_attach_to_trace(self, trace_id: str, parent_span_id: str | None) -> None:
        pass


_METHODS = frozenset(name for name in dir(Tracer) if not name.startswith("__") and callable(getattr(Tracer, name)))
