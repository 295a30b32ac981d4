"""Why a task of a recorded run ran, waited, failed, was skipped or never came to its turn, in sentences.

Owns the words for what a record says; those of a run in this process are `_run/explain.py`'s.
"""

from __future__ import annotations

from graflow_fast._hints import did_you_mean
from graflow_fast._record.columns import (
    ABANDONED,
    CALLER,
    COMPLETED,
    FAILED,
    GROUP,
    MAP,
    NOBODY,
    RETRIED,
    RUNNING,
    SKIPPED,
    Columns,
)
from graflow_fast._record.words import listed, seconds_words
from graflow_fast.exceptions import ConfigError

#: A body that waited for longer than this (seconds) is told what it waited for.
_LONG = 0.005
_SAME_TIME = 1e-6


def explained(columns: Columns, task: str) -> str:
    """What became of a task, the reason first; see `RecordedRun.explain`."""
    found = [node for node, name in enumerate(columns.names) if name == task]
    if not found:
        hint = did_you_mean(task, columns.names)
        raise ConfigError(f"There is no task '{task}' in this run. {hint}".rstrip())
    story = _Story(columns)
    return "\n".join(story.of(node) for node in found)


class _Story:
    """The rows and edges of a run, as far as they say why."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._before: dict[int, list[int]] = {}
        for place in range(0, len(columns.edges), 2):
            self._before.setdefault(columns.edges[place + 1], []).append(columns.edges[place])
        self._group_of = {member: group for group, members in columns.members.items() for member in members}
        self._rows: dict[int, list[int]] = {}
        for row, node in enumerate(columns.node):
            # Of a map the rows of chunks say nothing: they come before that of the map.
            if columns.kinds[node] == MAP and columns.released_by[row] < 0 and self._before.get(node):
                continue
            self._rows.setdefault(node, []).append(row)
        self._is_over = columns.meta["outcome"] != "running"

    def of(self, node: int) -> str:
        """All sentences about a node."""
        columns, name = self._columns, self._columns.names[node]
        kind = "Group" if columns.kinds[node] == GROUP else "Task"
        rows = self._rows.get(node, [])
        if not rows:
            return f"{kind} '{name}' {self._not_reached(node)}."
        if columns.outcome[rows[-1]] == SKIPPED:
            return f"{kind} '{name}' {self._skipped(node)}."
        lines = [f"{kind} '{name}' {self._outcome(rows[-1])}{self._because(rows[-1])}.", self._times(rows[-1])]
        if len(rows) > 1:
            retried = sum(columns.outcome[row] == RETRIED for row in rows)
            rounds = len(rows) - retried
            words = [f"ran {rounds} times"] if rounds > 1 else []
            words += [f"failed {retried} time{'s' if retried > 1 else ''} and was tried again"] if retried else []
            lines.append(f"It {' and '.join(words)}; this is the last attempt." if words else "")
        error = columns.errors.get(rows[-1])
        if error is not None:
            lines.append(error[2].rstrip() or f"{error[0]}: {error[1]}")
        return "\n".join(line for line in lines if line)

    def _outcome(self, row: int) -> str:
        columns = self._columns
        error = columns.errors.get(row)
        if columns.outcome[row] == ABANDONED:
            how = columns.meta["outcome"]
            return f"was given up when the run ended ({how}); it was to run"
        ended = {COMPLETED: "ran", FAILED: "failed", RETRIED: "failed, to be tried again,", RUNNING: "was running"}
        words = ended[columns.outcome[row]]
        if error is not None:
            words = f"{words} with {error[0]}; it ran"
        return words

    def _because(self, row: int) -> str:
        """Say who released an attempt, and how."""
        columns = self._columns
        node, by = columns.node[row], columns.released_by[row]
        if by < 0:
            return " because the workflow starts there"
        other = f"'{columns.names[by]}'"
        if columns.attempt[row] > 1:
            return " again because an attempt of it had failed"
        if by == node:
            return " again because it had asked for another round"
        if self._group_of.get(node) == by:
            return f" because it is a member of group {other}"
        before = self._before.get(node, [])
        if by not in before:
            return f" because {other} asked for it with next_task()"
        others = [each for each in before if each != by and self._completed(each, columns.ready[row])]
        if others:
            names = listed([f"'{columns.names[each]}'" for each in others])
            return f" because {other} completed, the last one it waited for; before it {names}"
        return f" because {other} completed"

    def _completed(self, node: int, until: float) -> bool:
        columns = self._columns
        rows = self._rows.get(node, ())
        return any(columns.outcome[row] == COMPLETED and columns.end[row] <= until + _SAME_TIME for row in rows)

    def _times(self, row: int) -> str:
        columns = self._columns
        ready, start, end = columns.ready[row], columns.start[row], columns.end[row]
        if ready != ready:
            return ""
        words = f"It was ready {seconds_words(ready)} after the start of the run"
        if start != start:
            return f"{words}, and did not begin."
        if columns.worker[row] == NOBODY:
            return f"{words} and ended at {seconds_words(end)}." if end == end else f"{words}."
        where = "in the calling process" if columns.worker[row] == CALLER else f"on worker {columns.worker[row]}"
        if columns.kinds[columns.node[row]] == MAP:
            where = "until the last of its items had ended"
        waited = start - ready
        if waited > _LONG:
            words += f", waited {seconds_words(waited)}{self._waited_for(row)}"
        return f"{words}, and ran {seconds_words(end - start)} {where}." if end == end else f"{words}, and ran {where}."

    def _waited_for(self, row: int) -> str:
        """Say what ended right before a body began that could have begun earlier."""
        columns = self._columns
        start, worker, latest = columns.start[row], columns.worker[row], -1
        in_order = not columns.branch[row] and columns.meta.get("schedule") != "parallel"
        for other, end in enumerate(columns.end):
            if other == row or not columns.ready[row] < end <= start + _SAME_TIME or columns.worker[other] == NOBODY:
                continue
            if columns.worker[other] == worker or (in_order and not columns.branch[other]):
                latest = other if latest < 0 or end > columns.end[latest] else latest
        if latest < 0:
            return " for a worker" if worker >= 0 else ""
        name = columns.names[columns.node[latest]]
        return f" for its turn: '{name}' ran before it" if worker < 0 else f" for worker {worker}, which ran '{name}'"

    def _skipped(self, node: int) -> str:
        columns = self._columns
        before = self._before.get(node, [])
        completed = [each for each in before if self._completed(each, float("inf"))]
        if completed:
            names = listed([f"'{columns.names[each]}'" for each in completed])
            return f"was skipped because {names} jumped elsewhere"
        names = listed([f"'{columns.names[each]}'" for each in before])
        return f"was skipped because all of its predecessors were: {names}"

    def _not_reached(self, node: int) -> str:
        """Say why there is no row of a node, going back to who stopped it."""
        columns = self._columns
        seen: set[int] = set()
        waiting = [node]
        unfinished: list[int] = []
        while waiting:
            here = waiting.pop()
            before = list(self._before.get(here, ()))
            if here in self._group_of:
                before.append(self._group_of[here])
            for each in before:
                if each in seen:
                    continue
                seen.add(each)
                rows = self._rows.get(each, [])
                if rows and columns.outcome[rows[-1]] in (FAILED, RETRIED):
                    return f"did not run because '{columns.names[each]}' failed"
                if not rows:
                    waiting.append(each)
                if not self._completed(each, float("inf")) and here == node and each != self._group_of.get(node):
                    unfinished.append(each)
        if self._is_over:
            return f"did not run: the run ended before ({columns.meta['outcome']}), or nothing that ran leads to it"
        if unfinished:
            return f"waits for {listed([repr(columns.names[each]) for each in unfinished])}"
        return "is running, or waits for its turn: an attempt is in the record when it has ended"
