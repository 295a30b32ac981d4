"""What the tests of the bench share: its modules, imported as its programs do."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a module of benches/, leaving sys.path and sys.modules as they were."""
    ours = {path.stem for path in BENCHES.glob("*.py")}
    monkeypatch.syspath_prepend(str(BENCHES))
    before = {name: sys.modules.pop(name) for name in ours & set(sys.modules)}

    def get(name: str) -> ModuleType:
        return __import__(name)

    yield get
    for name in ours & set(sys.modules):
        del sys.modules[name]
    sys.modules.update(before)
