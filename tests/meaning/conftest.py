"""Tells at the end of a run how many programs were compared and how to repeat it."""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast._run import driver

from . import suite


@pytest.fixture(autouse=True)
def _long_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members before one that cancels always end, however slow the machine: a limit on time is not compared here."""
    monkeypatch.setattr(driver, "CANCEL_GRACE", 60.0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line with the seed and the number of programs per placement."""
    if suite.compared:
        counts = ", ".join(f"{number} {placement}" for placement, number in suite.compared.items())
        terminalreporter.write_line(f"random workflows compared with the model: {counts}")
        again = f"GRAFLOW_FAST_SEED={suite.SEED} GRAFLOW_FAST_PROGRAMS={suite.PROGRAMS}"
        terminalreporter.write_line(f"repeat with {again}")
