"""Say what a program would run, in which order and beside what, without running a task.

Owns how a program comes to its first ``execute``: it is run until then, so what stands before it happens. A program
that only defines workflows is run to its end, and these are planned.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from graflow_fast._commands.exit_codes import USAGE
from graflow_fast._commands.run import add_program, run_program

if TYPE_CHECKING:
    from graflow_fast._record.plan import Plan
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.engine import WorkflowEngine

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``plan``."""
    parser.usage = "graflow-fast plan [--json] [--store FILE] (FILE | -m MODULE | -c CODE | -) [--] [ARGS ...]"
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    parser.add_argument("--store", metavar="FILE", help="the store with the run whose times are used")
    add_program(parser)


def call(arguments: argparse.Namespace) -> int:
    """Print the plan; return the exit code.

    Raises:
        SystemExit: the plan is printed (code 0), or the program ended itself before.
    """
    from graflow_fast.core.running import Process

    if arguments.store:
        os.environ["GRAFLOW_FAST_STORE"] = os.path.abspath(arguments.store)

    def instead(engine: WorkflowEngine, context: ExecutionContext) -> None:
        _show([engine.plan(context)], arguments.json)
        raise SystemExit(0)

    Process.instead = instead
    code = run_program(arguments)
    if code:
        return code
    from graflow_fast.core.workflow import WorkflowContext

    found = [value for value in vars(sys.modules["__main__"]).values() if isinstance(value, WorkflowContext)]
    if not found:
        print("graflow-fast: the program ended and executed no workflow, nor defined one", file=sys.stderr)
        return USAGE
    _show([workflow.plan() for workflow in dict.fromkeys(found)], arguments.json)
    return 0


def _show(plans: list[Plan], as_json: bool) -> None:
    for plan in plans:
        print(json.dumps(plan.as_json()) if as_json else plan, flush=True)
