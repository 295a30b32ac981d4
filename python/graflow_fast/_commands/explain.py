"""Say why a task of a run ran, waited, failed, was skipped, or never came to its turn."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_store, answer, print_json

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``explain``."""
    parser.usage = "graflow-fast explain [--store FILE] [--json] [RUN] TASK"
    parser.add_argument("words", nargs="+", metavar="[RUN] TASK", help="the task; of the latest run, if none is named")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="one object with the sentences and the task's attempts")
    parser.set_defaults(parser=parser)


def call(arguments: argparse.Namespace) -> int:
    """Explain it; return the exit code."""
    *runs, task = arguments.words
    if len(runs) > 1:
        arguments.parser.error("name one task, and before it the run")

    def work() -> None:
        from graflow_fast._record.loading import load_run

        run = load_run(arguments.store, *runs)
        text = run.explain(task)
        if not arguments.json:
            print(text)
            return
        attempts = [each.as_json() for each in run.tasks() if each.task == task]
        meta = run.columns().meta
        print_json({"format": 1, "run": meta["run"], "task": task, "text": text, "attempts": attempts})

    return answer(work)
