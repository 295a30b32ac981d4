"""Runs programs one after another in one process, each as ``__main__`` of its own, and notes what each said.

    python snippet_runner.py FOLDER     # runs FOLDER/*.py, and writes what was said beside each, as *.json

One process, so that they share its imports and its warm workers. It knows nothing of pages.
"""

from __future__ import annotations

import io
import json
import logging
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path


def run(program: Path) -> dict[str, str]:
    """Return what the program wrote to its standard output, and to its standard error (a traceback, too)."""
    output, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            runpy.run_path(str(program), run_name="__main__")
        except BaseException:
            traceback.print_exc()
    logging.disable(logging.NOTSET)  # some programs silence what is logged
    logging.root.handlers.clear()  # and some show it
    logging.root.setLevel(logging.WARNING)
    return {"output": output.getvalue(), "errors": errors.getvalue()}


if __name__ == "__main__":
    for program in sorted(Path(sys.argv[1]).glob("*.py")):
        program.with_suffix(".json").write_text(json.dumps(run(program)), encoding="utf-8")
