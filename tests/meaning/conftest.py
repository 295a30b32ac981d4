"""Tells at the end of a run how many programs were compared and how to repeat it."""

from __future__ import annotations

from typing import Any

from . import suite


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line with the seed and the number of programs per placement."""
    if suite.compared:
        counts = ", ".join(f"{number} {placement}" for placement, number in suite.compared.items())
        terminalreporter.write_line(f"random workflows compared with the model: {counts}")
        again = f"GRAFLOW_FAST_SEED={suite.SEED} GRAFLOW_FAST_PROGRAMS={suite.PROGRAMS}"
        terminalreporter.write_line(f"repeat with {again}")
