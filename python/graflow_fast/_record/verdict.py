"""What was good and bad about a run, in sentences: how busy the workers were, what held them up, what failed.

Each sentence is computed, says by how much, and is left out where it would say nothing.
"""

from __future__ import annotations

from graflow_fast._record.columns import FAILED, Columns
from graflow_fast._record.figures import Figures, FunctionFigures, WorkerFigures
from graflow_fast._record.paths import Path, Step
from graflow_fast._record.summary import failure_lines
from graflow_fast._record.words import count_words, listed, number_words, percent_words, seconds_words, shortened

#: What is less than this share of the run is not worth a sentence.
_WORTH = 0.05

#: An attempt stands out when it took so many times the 95th percentile of its function, and so many seconds.
_OUTLIER = 5
_OUTLIER_SECONDS = 0.5

_NAME = 60


def verdict_of(columns: Columns, figures: Figures, path: Path) -> list[str]:
    """The sentences, the most important first."""
    found = [_busy(figures), _limit(columns, figures, path), _tail(columns, figures, path), _outliers(columns, figures)]
    return [_outcome(columns, figures), *(sentence for sentence in found if sentence), *_trouble(columns, figures)]


def _outcome(columns: Columns, figures: Figures) -> str:
    time, outcome = seconds_words(figures.wall), columns.meta["outcome"]
    tasks = count_words(figures.tasks, "task")
    ran = f"{tasks} ran, {number_words(figures.not_run)} did not" if figures.not_run else f"{tasks} ran"
    words = {
        "completed": f"Completed in {time}: {tasks} ran.",
        "terminated": f"Ended by terminate_workflow after {time}: {ran}.",
        "failed": f"Failed after {time}: {ran}.",
        "cancelled": f"Cancelled after {time}: {ran}.",
        "max_steps": f"Stopped at max_steps after {time}: {ran}.",
        "running": f"Still running after {time}: {tasks} ran so far.",
        "killed": f"Killed after {time}: {ran}. The record ends there.",
    }
    sentence = words.get(outcome, f"Ended ({shortened(str(outcome), _NAME)}) after {time}: {ran}.")
    error = columns.meta.get("error")
    return f"{sentence} {shortened(str(error), 500)}" if error else sentence


def _workers(figures: Figures) -> list[WorkerFigures]:
    return [each for each in figures.by_worker if each.worker >= 0]


def _busy(figures: Figures) -> str:
    if figures.busy is None:
        return ""
    if _workers(figures):
        whose = f"The {count_words(figures.workers, 'worker')} {'was' if figures.workers == 1 else 'were'}"
    else:
        whose = "The calling thread was"
    return f"{whose} busy with tasks {percent_words(figures.busy)} of the time."


def _name(columns: Columns, row: int) -> str:
    return shortened(columns.names[columns.node[row]], _NAME)


def _limit(columns: Columns, figures: Figures, path: Path) -> str:
    if not path.steps or not _workers(figures) or figures.wall <= 0:
        return ""
    saved = figures.wall - path.length
    longest = max(path.steps, key=lambda step: step.ran)
    critical = f"The critical path takes {seconds_words(path.length)} of these {seconds_words(figures.wall)}"
    where = f"{_name(columns, longest.row)} alone {seconds_words(longest.ran)}"
    if saved < figures.wall * _WORTH:
        return f"{critical}: more workers save nothing, a faster {_name(columns, longest.row)} would ({where})."
    if longest.ran >= figures.wall / 2:
        return f"{critical} ({where}): more workers save {seconds_words(saved)} at most."
    waited = sum(step.waited for step in path.steps)
    if (figures.busy or 0.0) > 0.8 and waited > figures.wall * _WORTH:
        return f"{critical}: tasks waited for a free worker, so more workers help, by {seconds_words(saved)} at most."
    return f"{critical} ({where})."


def _tail(columns: Columns, figures: Figures, path: Path) -> str:
    """That some workers had nothing to do any more while the last tasks ran."""
    workers = _workers(figures)
    first = min((each.last for each in workers), default=figures.wall)
    tail = figures.wall - first
    if len(workers) < 2 or tail < max(figures.wall * _WORTH, 0.01):
        return ""
    last = [step for step in path.steps if columns.end[step.row] > first]
    idle = sum(each.last <= first + tail / 2 for each in workers)
    who = count_words(idle, "worker")
    what = f", waiting for {_longest_name(columns, last)}" if last else ""
    return f"In the last {seconds_words(tail)} {who} had nothing to do{what}."


def _longest_name(columns: Columns, steps: list[Step]) -> str:
    return _name(columns, max(steps, key=lambda step: step.ran).row)


def _outliers(columns: Columns, figures: Figures) -> str:
    slow = [each for each in figures.functions if _has_outlier(each)]
    words = [
        f"{_name(columns, each.longest_row)} took {seconds_words(each.longest)}, others of "
        f"{shortened(each.function, _NAME)} {seconds_words(each.median)}"
        for each in sorted(slow, key=lambda each: each.median - each.longest)
    ]
    return f"{listed(words, 3)}." if words else ""


def _has_outlier(each: FunctionFigures) -> bool:
    if each.attempts < 5 or each.longest < _OUTLIER_SECONDS:
        return False
    usual = each.percentile_95 if each.attempts > 20 else each.median
    return each.longest > _OUTLIER * usual


def _trouble(columns: Columns, figures: Figures) -> list[str]:
    sentences = []
    if figures.counts[FAILED]:
        failed = count_words(figures.counts[FAILED], "task")
        sentences.append(f"{failed} failed: {'; '.join(failure_lines(columns))}.")
    if figures.retries:
        by_function = [
            f"{shortened(each.function, _NAME)} {number_words(each.retries)}×"
            for each in figures.functions
            if each.retries
        ]
        tried = count_words(figures.retries, "attempt")
        sentences.append(
            f"{tried} failed and {'was' if figures.retries == 1 else 'were'} tried again: {listed(by_function)}."
        )
    return sentences
