"""The console tracer called by hand: spans, events, dynamic tasks with and without details."""

import contextlib
import io
import re

from graflow.trace.console import ConsoleTracer

for options in ({}, {"show_metadata": False, "indent_size": 4}):
    tracer = ConsoleTracer(enable_colors=False, **options)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tracer.trace_start("trace", trace_id="ab" * 16, metadata={"rows": 3})
        tracer.span_start("outer", metadata={"task_type": "TaskWrapper"})
        tracer.event("loaded", metadata={"rows": 3})
        tracer.span_start("inner", parent_name="outer")
        tracer.span_end("inner", output=[1])
        tracer.span_end("outer", metadata={"error": "broken"})
        tracer.on_dynamic_task_added("new", parent_task_id="outer", metadata={"rows": 3})
        tracer.on_dynamic_task_added("again", is_iteration=True, metadata={"task_type": "TaskWrapper"})
        tracer.on_dynamic_task_added("plain")
        tracer.trace_end("trace", output={"k": 1})
        tracer.attach_to_trace("cd" * 16, "ef" * 8)
    print(re.sub(r"\d\d:\d\d:\d\d\.\d+|\d+ms", "T", out.getvalue()).replace(" \n", "\n"))
