"""graflow.trace offers the tracers."""

from graflow.trace import ConsoleTracer, NoopTracer, Tracer

print(
    [c.__name__ for c in (Tracer, NoopTracer, ConsoleTracer)],
    issubclass(ConsoleTracer, Tracer),
    issubclass(NoopTracer, Tracer),
)
tracer = NoopTracer()
print(type(tracer.clone("x" * 32)).__name__, tracer.clone("x").get_runtime_graph(), tracer.flush(), tracer.shutdown())
clone = ConsoleTracer(enable_colors=False, indent_size=3).clone("t")
print(type(clone).__name__, clone.enable_colors, clone.indent_size, clone.enable_runtime_graph)
