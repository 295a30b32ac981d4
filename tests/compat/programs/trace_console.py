"""ConsoleTracer's lines, without times and colours."""

import contextlib
import io
import re

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.console import ConsoleTracer


def fail():
    raise ValueError("broken")


def clean(text):
    text = re.sub(r"\[\d\d:\d\d:\d\d\.\d\d\d\]", "[TIME]", text)
    text = re.sub(r"\(\d+(\.\d+)?m?s\)", "(TAKEN)", text)
    return re.sub(r"[0-9a-f]{32}", "TRACE", re.sub(r"workflow_[0-9a-f]{8}", "WORKFLOW", text))


for failing in (False, True):
    out = io.StringIO()
    with workflow("w", tracer=ConsoleTracer(enable_colors=False)) as wf:
        a, b = task("a")(lambda: 1), task("b")(fail if failing else lambda: 2)
        a >> b
        with contextlib.redirect_stdout(out), contextlib.suppress(Exception):
            wf.execute()
    print(clean(out.getvalue()))
