"""The words that select tasks, on the command line and in the report: ``status=failed fn=measure >1s census``.

A condition is words with spaces between them, and all of them must hold. The report's page has the same rules in its
own language (`page/filter.js`); `tests/record/conditions.json` holds the two together.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from graflow_fast._hints import did_you_mean
from graflow_fast._record.columns import STATUSES
from graflow_fast._record.tasks import Task
from graflow_fast.exceptions import ConfigError

_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(r"(?P<key>[a-z_]*)(?P<operator>>=|<=|!=|=|:|>|<)(?P<value>.+)", re.DOTALL)
_TIME = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>us|µs|ms|s|min|m|h)?")
_UNITS = {None: 1.0, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: dict[str, Callable[[Task], str]] = {
    "task": lambda task: task.task,
    "fn": lambda task: task.function,
    "status": lambda task: task.status,
    "by": lambda task: task.released_by or "",
    "error": lambda task: task.error or "",
}
_TIMES: dict[str, Callable[[Task], float | None]] = {
    "ran": lambda task: task.ran,
    "waited": lambda task: task.waited,
    "start": lambda task: task.start,
    "end": lambda task: task.end,
}
_NUMBERS: dict[str, Callable[[Task], float | None]] = {
    "worker": lambda task: task.worker,
    "attempt": lambda task: task.attempt,
    "branch": lambda task: task.branch,
}
_OTHER_NAMES = {"": "ran", "function": "fn", "name": "task", "released_by": "by"}

Condition = Callable[[Task], bool]


def condition_of(text: str) -> Condition:
    """What ``text`` selects, as a function of a task.

    Args:
        text: Words such as ``status=failed``, ``fn=measure``, ``worker=1``, ``attempt>1``, ``waited>0.5s``, ``>1s``
            (ran longer), ``error=Timeout``; any other word must be part of the task's name. ``:`` is the same as ``=``.
            Quotes keep spaces: ``task="my task"``.

    Raises:
        ConfigError: A word can't be understood; the message says which, and what is known.
    """
    terms = [_term(word) for word in _WORD.findall(text)]
    return lambda task: all(term(task) for term in terms)


def _term(word: str) -> Condition:
    matched = _TERM.fullmatch(word)
    if matched is None:
        part = word.replace('"', "").lower()
        return lambda task: part in task.task.lower()
    key = _OTHER_NAMES.get(matched["key"], matched["key"])
    compare = "=" if matched["operator"] == ":" else matched["operator"]
    value = matched["value"].replace('"', "")
    if key in _TEXTS:
        return _text_term(word, key, compare, value)
    if key in _TIMES:
        return _number_term(_TIMES[key], compare, _seconds(word, value))
    if key in _NUMBERS:
        return _number_term(_NUMBERS[key], compare, _whole(word, value))
    known = sorted({*_TEXTS, *_TIMES, *_NUMBERS})
    raise ConfigError(
        f"In '{word}', '{key}' is nothing that a task has: {', '.join(known)}. {did_you_mean(key, known)}".strip()
    )


def _text_term(word: str, key: str, compare: str, value: str) -> Condition:
    if compare not in ("=", "!="):
        raise ConfigError(f"In '{word}', '{key}' is a text: compare it with = or !=, not with {compare}.")
    read, negated = _TEXTS[key], compare == "!="
    if key == "status" and value not in STATUSES:
        raise ConfigError(
            f"In '{word}', '{value}' is no status: {', '.join(STATUSES)}. {did_you_mean(value, STATUSES)}"
        )
    if key == "error":
        return lambda task: (value.lower() in read(task).lower()) != negated
    return lambda task: (read(task) == value) != negated


def _number_term(read: Callable[[Task], float | None], compare: str, value: float) -> Condition:
    holds = _OPERATORS[compare]

    def term(task: Task) -> bool:
        found = read(task)
        return found is not None and holds(found, value)

    return term


def _seconds(word: str, value: str) -> float:
    matched = _TIME.fullmatch(value)
    if matched is None:
        raise ConfigError(f"In '{word}', '{value}' is no time: write 0.5s, 20ms, 3min or 2h.")
    return float(matched["number"]) * _UNITS[matched["unit"]]


def _whole(word: str, value: str) -> float:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(f"In '{word}', '{value}' is no whole number.") from None
