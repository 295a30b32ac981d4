"""Where `graflow` has the class of all tracers; ours is in `graflow_fast.core.tracer`."""

from graflow_fast.core.tracer import Metadata, Tracer

__all__ = ["Metadata", "Tracer"]
