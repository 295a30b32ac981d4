"""Times, counts and percentages as people write them. Knows nothing of runs."""

from __future__ import annotations

from collections.abc import Sequence


def seconds_words(seconds: float) -> str:
    """A length of time: ``0.4 ms``, ``58.1 s``, ``1:05.2``, ``2:05:11``, ``1 day 2:05:11``; ``?`` for NaN."""
    if seconds != seconds:
        return "?"
    seconds = max(0.0, seconds)
    if seconds < 0.000_95:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.0095:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 0.0995:
        return f"{seconds * 1e3:.0f} ms"
    tenths = round(seconds * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    if tenths < 36_000:
        return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
    whole = round(seconds)
    days, of_day = divmod(whole, 86_400)
    clock = f"{of_day // 3600}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    return f"{count_words(days, 'day')} {clock}" if days else clock


def number_words(number: int) -> str:
    """A number with a thin gap between thousands, as in ``1 000 000``; four digits stay together."""
    return str(number) if abs(number) < 10_000 else f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def count_words(number: int, noun: str, several: str | None = None) -> str:
    """A number of things: ``1 task``, ``2 tasks``."""
    return f"{number_words(number)} {noun if number == 1 else several or noun + 's'}"


def percent_words(share: float) -> str:
    """A share of 1: ``96%``. Neither all nor nothing unless it is."""
    percent = round(share * 100)
    if percent == 0 and share > 0:
        return "<1%"
    if percent == 100 and share < 1:
        return ">99%"
    return f"{percent}%"


def listed(words: Sequence[str], most: int = 5) -> str:
    """Words in a row: ``a, b and c``, and how many more there are."""
    shown = list(words[:most])
    if len(words) > most:
        return f"{', '.join(shown)} and {number_words(len(words) - most)} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def shortened(text: str, most: int) -> str:
    """A text of one line and at most ``most`` characters; what can't be printed in a line stands as an escape."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
