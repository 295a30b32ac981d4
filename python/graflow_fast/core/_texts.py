"""Texts of results, for who asks a tracer what it remembers.

Owns their limits: a text never fails and is never longer than a screen or two, whatever the value's own methods do.
Must not know what the values are. Slow and rarely needed, so nothing is made before somebody asks.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Output", "text_of"]

#: So many characters of a text are made; the items of a collection that come behind them are only counted.
_LONGEST = 100_000

#: Of a collection with more items only what it is and how many it has is said.
_HUGE = 10_000

#: Collections in collections are followed so far.
_DEEPEST = 20

#: What stands around the items of each kind of collection.
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


class Output:
    """The result of a run or task; its text is made when it is first asked for, and the value let go."""

    __slots__ = ("_made", "_text", "_value")

    def __init__(self, value: Any) -> None:
        self._value = value
        self._text: str | None = None
        self._made = False

    def text(self) -> str | None:
        """What ``str()`` gives of the value, as far as it goes; None of one that is empty, false or None."""
        if not self._made:
            self._text = None if _is_empty(self._value) else text_of(self._value)
            self._value, self._made = None, True
        return self._text


def _is_empty(value: Any) -> bool:
    try:
        return not value
    except Exception:  # an array, for example, has no truth value
        return value is None


def text_of(value: Any) -> str:
    """What ``str()`` gives of a value, as far as it goes; of one that fails at that, what it is."""
    if type(value) in _BRACKETS:
        if len(value) > _HUGE:
            return f"<{type(value).__name__} of {len(value)} items>"
        return _Writer().collection(value)
    try:
        return _cut(str(value))
    except Exception as error:
        return _unshown(value, error)


def _unshown(value: Any, error: Exception) -> str:
    return f"<{type(value).__name__}, whose text can't be made: {type(error).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


class _Writer:
    """Writes collections as ``repr`` does, until there is enough text."""

    def __init__(self) -> None:
        self._left = _LONGEST
        self._around: list[int] = []

    def collection(self, value: Any) -> str:
        """Return the text of a list, tuple, set, frozenset or dictionary."""
        kind = type(value)
        opening, closing = _BRACKETS[kind]
        if not value:
            return repr(value)
        if id(value) in self._around or len(self._around) >= _DEEPEST:
            return f"{opening}...{closing}"
        self._around.append(id(value))
        parts: list[str] = []
        for item in value.items() if kind is dict else value:
            if self._left <= 0:
                parts.append(f"... ({len(value)} items)")
                break
            parts.append(f"{self._item(item[0])}: {self._item(item[1])}" if kind is dict else self._item(item))
        self._around.pop()
        only = "," if kind is tuple and len(value) == 1 else ""
        return f"{opening}{', '.join(parts)}{only}{closing}"

    def _item(self, value: Any) -> str:
        if type(value) in _BRACKETS:
            return self.collection(value)
        try:
            text = _cut(repr(value))
        except Exception as error:
            text = _unshown(value, error)
        self._left -= len(text) + 2
        return text
