"""Tells at the end of a run how many programs were compared and how to repeat it."""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast._run import driver

from . import suite
from .sharded import Shards

SHARDS = pytest.StashKey[Shards]()


def is_shard(item: Any) -> bool:
    """Whether a test is one shard of the random programs."""
    return getattr(item, "originalname", "") == "test_every_placement_means_what_the_model_means"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Shards come last: they run beside all other tests, and are only waited for."""
    items.sort(key=is_shard)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The shards that this session is going to ask for get under way."""
    chosen = [item.callspec.params["shard"] for item in session.items if is_shard(item)]
    if chosen and not session.config.option.collectonly:
        session.config.stash[SHARDS] = Shards(chosen)


def pytest_unconfigure(config: pytest.Config) -> None:
    """None stays behind."""
    shards = config.stash.get(SHARDS, None)
    if shards is not None:
        shards.close()


@pytest.fixture
def shards(request: pytest.FixtureRequest) -> Shards:
    """The shards of this session."""
    return request.config.stash[SHARDS]


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
