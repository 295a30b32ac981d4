"""What tests of cached tasks share: a store of their own, and what the bodies did."""

from __future__ import annotations

import os
import shutil

import pytest

from graflow_fast._cache.body import _opened

EXECUTORS = ["inline", "thread", "process"]


class Calls:
    """How often bodies have run, in whatever process: each adds a line to a file."""

    def __init__(self, path):
        self.path = str(path)

    def __str__(self):
        return self.path

    def taken(self):
        """Return what was noted since the last call."""
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
            lines = file.read().split()
        os.unlink(self.path)
        return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return where results are kept: one place for a file, for workers are made anew for another environment."""
    made = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFLOW_FAST_STORE", str(made / "runs.db"))
        patch.setenv("TEST_CALLS", str(made / "calls"))
        yield made


@pytest.fixture
def calls(folder):
    """Return what bodies have noted by `note`; nothing is kept yet."""
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    _opened.clear()
    return Calls(folder / "calls")


@pytest.fixture(params=EXECUTORS)
def executor(request):
    """Return each executor."""
    return request.param


@pytest.fixture
def run(capsys):
    """Return a function that runs a workflow and returns all that can be seen of it."""

    def done(wf, executor="inline", **options):
        capsys.readouterr()
        result, context = wf.execute(executor=executor, max_workers=2, ret_context=True, **options)
        seen = {key: context.channel.get(key) for key in context.channel.keys()}  # noqa: SIM118
        return result, seen, context.completed_tasks, tuple(capsys.readouterr())

    return done
