"""One meaning: random programs whose bodies run on stations give what the model predicts. `make engines` runs more."""

from __future__ import annotations

import importlib.util
import os

import pytest
from meaning.elsewhere import run_there

#: How many programs: few enough for each change.
_FAULTY = int(os.environ.get("GRAFLOW_FAST_ELSEWHERE", "150"))


@pytest.mark.timeout(600)
def test_a_carrier_with_faults_changes_nothing() -> None:
    assert run_there("faulty", _FAULTY) > _FAULTY / 2


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("ray", "ray"), ("loky", "loky")])
def test_an_engine_changes_nothing(engine: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    assert run_there(engine, 20) > 10
