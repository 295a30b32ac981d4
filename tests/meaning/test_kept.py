"""Random programs whose tasks have ``cache=True``, run again and again: what comes from the cache means the same."""

from __future__ import annotations

import shutil
import warnings
from random import Random
from typing import Any

import pytest

from graflow_fast._body import origins
from graflow_fast.core.definition import Definition

from .generating import generate
from .model import predict
from .program import Program
from .running import run
from .state import Unsuitable
from .suite import PROGRAMS, SEED, Differs, differs
from .waiting import waits

#: So many of them, for each takes several runs.
COUNT = max(20, PROGRAMS // 400)


@pytest.fixture
def all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each task of this process be one with ``cache=True``."""
    usual = Definition.of

    def of(func: Any, inject_context: bool, resolve_keyword_args: bool, **options: Any) -> Definition:
        return usual(func, inject_context, resolve_keyword_args, **{**options, "cache": (None, ())})

    monkeypatch.setattr(Definition, "of", of)


@pytest.mark.usefixtures("all_kept")
def test_programs_mean_the_same_with_results_that_were_kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept inline or in a worker, and taken inline, in a thread or in a worker."""
    hits = 0
    note = origins.note

    def counted(run_id: str, task_id: str, *origin: Any) -> None:
        nonlocal hits
        hits += origin[0] == origins.HIT
        note(run_id, task_id, *origin)

    monkeypatch.setattr(origins, "note", counted)
    monkeypatch.setenv("GRAFLOW_FAST_STORE", str(tmp_path / "runs.db"))
    for number in range(COUNT):
        choose = Random(f"{SEED} kept {number}")
        program = generate(choose, 9)
        if "'write'" in repr(program):
            continue  # past sys.stdout, which is not seen in the program's own process
        shutil.rmtree(tmp_path / "runs.db-cache", ignore_errors=True)
        other = choose.choice(["thread", "process(1)", "process(2)"])
        why = disagrees(program, choose.choice([("inline", "inline", other), (other, "inline", other)]))
        if why:
            raise Differs(program, why, 0)
    assert hits > COUNT


def disagrees(program: Program, placements: tuple[str, ...]) -> str | None:
    """How the program differs from what the model predicts in one of these placements, one after the other."""
    try:
        expected = predict(program)
    except Unsuitable:
        return None
    for turn, placement in enumerate(placements):
        if waits(expected.notes, placement):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            why = differs(program, expected, run(program, placement), placement)
        if why:
            return f"after {placements[:turn]}, {why}"
    return None
