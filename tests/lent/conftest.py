"""Programs that use what an installed graflow lends: `make test-graflow` has an environment with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graflow_fast._borrowed import is_installed

# litellm asks another machine for prices when it is imported, and tries thrice.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

collect_ignore_glob = [] if is_installed() else ["test_*.py"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder: requests and checkpoints are files below the current one.

    Workers are new in another folder, and those of a program with LLMs take seconds to import what it does.
    """
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Those of one executor follow each other: workers are new in another environment, too.
@pytest.fixture(params=["inline", "thread", "process", "auto"], scope="module")
def executor(request: pytest.FixtureRequest) -> str:
    return str(request.param)
