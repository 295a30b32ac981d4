"""A run in two or three lines, as they stand at the end of a run in a terminal."""

from __future__ import annotations

import re

from graflow_fast._record.columns import COMPLETED, FAILED, MADE, NOT_KEPT, RUNNING, TAKEN, Columns
from graflow_fast._record.figures import Figures, rows_with
from graflow_fast._record.paths import Path
from graflow_fast._record.words import count_words, number_words, percent_words, seconds_words, shortened

#: So many failures are told one by one, and so many steps of the path.
_MOST_FAILURES = 5
_MOST_STEPS = 6

#: How long a name and a message may be in a line.
_NAME = 60
_MESSAGE = 200

_FRAME = re.compile(r'^\s*File "([^"\n]+)", line (\d+), in (\S+)', re.MULTILINE)


def summary_of(columns: Columns, figures: Figures, path: Path, *, glyphs: bool = True) -> str:
    """The lines, without a line break after the last.

    Args:
        columns: The run.
        figures: Its counts and sums.
        path: Its critical path.
        glyphs: With ``✓`` and ``✗``; without, ``ok`` and ``FAIL``, for terminals that only know ASCII.
    """
    lines = [f"{_mark(columns, glyphs)} {shortened(str(columns.meta['workflow']), _NAME)}: {_ending(columns, figures)}"]
    lines += [f"  {line}" for line in failure_lines(columns)]
    if path.steps and columns.meta["outcome"] not in ("failed", "running"):
        lines.append(f"  held up by: {path_words(columns, path)}  (critical path {seconds_words(path.length)})")
    if columns.origins:
        lines.append(f"  {cache_words(columns)}")
    if columns.meta.get("run") is not None:
        lines.append(f"  report: graflow-fast report {columns.meta['run']}")
    return "\n".join(lines)


def cache_counts(columns: Columns) -> tuple[int, int, int]:
    """How many results were taken from the cache, made and kept, and made but not kept."""
    kinds = [origin[0] for origin in columns.origins.values()]
    return kinds.count(TAKEN), kinds.count(MADE), kinds.count(NOT_KEPT)


def cache_words(columns: Columns) -> str:
    """What became of tasks with ``cache=True``."""
    taken, made, not_kept = map(number_words, cache_counts(columns))
    return f"cache: {taken} taken, {made} made and kept, {not_kept} not kept"


def _mark(columns: Columns, glyphs: bool) -> str:
    outcome = columns.meta["outcome"]
    if outcome == "running":
        return "…" if glyphs else "..."
    if outcome == "max_steps":
        return "!"
    good = outcome in ("completed", "terminated")
    return ("✓" if good else "✗") if glyphs else ("ok" if good else "FAIL")


def _ending(columns: Columns, figures: Figures) -> str:
    time = seconds_words(figures.wall)
    done = count_words(figures.counts[COMPLETED], "task")
    not_run = [f"{number_words(figures.not_run)} not run"] if figures.not_run else []
    outcome, error = columns.meta["outcome"], columns.meta.get("error")
    if outcome == "completed":
        return ", ".join([f"{count_words(figures.tasks, 'task')} in {time}", *_work(figures)])
    if outcome == "failed":
        failed = figures.counts[FAILED]
        if failed:
            known = max(figures.known, figures.tasks)
            return ", ".join([f"{number_words(failed)} of {number_words(known)} failed after {time}", *not_run])
        because = f": {shortened(str(error), _MESSAGE)}" if error else ""
        return ", ".join([f"failed after {time}, {done} done", *not_run]) + because
    if outcome == "cancelled":
        because = f": {shortened(str(error), _MESSAGE)}" if error else ""
        return ", ".join([f"cancelled after {time}, {done} done", *not_run]) + because
    if outcome in ("terminated", "max_steps"):
        how = "ended by terminate_workflow" if outcome == "terminated" else "stopped at max_steps"
        return ", ".join([f"{how} after {time}, {done} done", *not_run, *_work(figures)])
    running = rows_with(columns, RUNNING)
    names = ", ".join(shortened(columns.names[columns.node[row]], _NAME) for row in running[:3])
    under_way = (
        [f"{number_words(len(running))} running ({names}{', …' if len(running) > 3 else ''})"] if running else []
    )
    how = f"running for {time}" if outcome == "running" else f"killed after {time}"
    return ", ".join([how, f"{done} done", *under_way, *not_run])


def _work(figures: Figures) -> list[str]:
    words = []
    if figures.busy is not None and any(each.worker >= 0 for each in figures.by_worker):
        words.append(f"{count_words(figures.workers, 'worker')} {percent_words(figures.busy)} busy")
    if figures.counts[FAILED]:
        words.append(f"{number_words(figures.counts[FAILED])} failed")
    if figures.retries:
        words.append(count_words(figures.retries, "retry", "retries"))
    return words


def failure_lines(columns: Columns) -> list[str]:
    """A line for each task that failed for good: its name, how often it was tried, the error, and where."""
    failed = rows_with(columns, FAILED)
    lines = [_failure(columns, row) for row in failed[:_MOST_FAILURES]]
    if len(failed) > _MOST_FAILURES:
        lines.append(f"and {number_words(len(failed) - _MOST_FAILURES)} more: graflow-fast tasks --where status=failed")
    return lines


def _failure(columns: Columns, row: int) -> str:
    attempts = columns.attempt[row]
    tried = f" ({attempts} attempts)" if attempts > 1 else ""
    line = f"{shortened(columns.names[columns.node[row]], _NAME)}{tried}: {error_words(columns, row)}"
    where = error_place(columns.errors.get(row, ("", "", ""))[2])
    return f"{line}   {where}" if where else line


def error_words(columns: Columns, row: int) -> str:
    """An attempt's error in one line: its type and message."""
    if row not in columns.errors:
        return "failed, without a record of its error"
    kind, message, _ = columns.errors[row]
    first = message.strip().splitlines()[0] if message.strip() else ""
    return f"{kind}: {shortened(first, _MESSAGE)}" if first else kind


def error_place(traceback: str) -> str:
    """Where in the user's code an error was raised, as in ``census.py:231 in measure``; "" if that is not known."""
    frames = _FRAME.findall(traceback)
    own = [frame for frame in frames if "/graflow_fast/" not in frame[0]] or frames
    if not own:
        return ""
    file, line, function = own[-1]
    return f"{shortened(file.rpartition('/')[2], _NAME)}:{line} in {function}"


def path_words(columns: Columns, path: Path) -> str:
    """The critical path, as in ``a 0.3 s > b 58.1 s``. Of a long one, its longest steps."""
    steps = path.steps
    kept = sorted(sorted(range(len(steps)), key=lambda at: -steps[at].ran)[:_MOST_STEPS])
    words, next_one = [], 0
    for at in kept:
        if at > next_one:
            words.append(f"… {number_words(at - next_one)} more")
        step = steps[at]
        words.append(f"{shortened(columns.names[columns.node[step.row]], _NAME)} {seconds_words(step.ran)}")
        next_one = at + 1
    if next_one < len(steps):
        words.append(f"… {number_words(len(steps) - next_one)} more")
    return " > ".join(words)
