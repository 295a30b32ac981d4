"""One meaning: random workflows give what the model predicts, in every placement."""

from __future__ import annotations

import contextlib
import io
import json

import pytest

from .model import predict
from .program import Program
from .render import is_plain
from .running import run
from .sharded import Shards
from .suite import SHARDS, compared, explore


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_placement_means_what_the_model_means(shard: int, shards: Shards) -> None:
    """Return value, channel, completed order, steps, output and error of random programs agree everywhere."""
    code, said = shards.result(shard)
    assert code == 0, said
    compared.update(json.loads(said.splitlines()[-1]))


def as_printed(program: Program) -> str | None:
    """Run the program's text and compare what it prints."""
    if not is_plain(program):
        return None
    predict(program)  # which may find it unsuitable
    expected, out = run(program, "inline"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(Exception):
        exec(compile(str(program), "program", "exec"), {"__name__": "program"})
    shown = out.getvalue()
    return None if shown.startswith(expected.printed) else f"the text prints\n{shown}instead of\n{expected.printed}"


@pytest.fixture
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything runs in this thread."""
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", "inline")


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_inline")
def test_the_text_of_a_program_is_the_program() -> None:
    """What a failure prints can be pasted and run, and does what the generated program did."""
    explore(as_printed, 3000, 3000)
