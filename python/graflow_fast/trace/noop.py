"""Where `graflow` has its default tracer; ours is in `graflow_fast.core.noop_tracer`."""

from graflow_fast.core.noop_tracer import NoopTracer

__all__ = ["NoopTracer"]
