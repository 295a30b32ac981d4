"""ConsoleTracer: colours, metadata, indentation and dynamic tasks."""

import contextlib
import io
import re

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow
from graflow.trace.console import ConsoleTracer

for options in ({"show_metadata": False, "enable_colors": False, "indent_size": 4}, {"enable_colors": True}):
    out = io.StringIO()
    with workflow("w", tracer=ConsoleTracer(**options)) as wf:

        @task(inject_context=True)
        def a(ctx):
            ctx.next_task(TaskWrapper("extra", lambda: None, register_to_context=False))

    with contextlib.redirect_stdout(out):
        wf.execute()
    text = re.sub(r"\[\d\d:\d\d:\d\d\.\d\d\d\]", "[TIME]", out.getvalue())
    text = re.sub(r"\(\d+(\.\d+)?m?s\)", "(TAKEN)", text)
    print(re.sub(r"[0-9a-f]{32}", "TRACE", re.sub(r"workflow_[0-9a-f]{8}", "WORKFLOW", text)).replace("\033", "ESC"))
