"""Checkpoint files are written whole or not at all: whenever the process is killed, the last one is there."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.core.context import ExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError

#: Writes two checkpoints to one path, in a process of its own for each call into the system at which it is killed.
KILLED = """
    import os, signal, sys
    from graflow_fast.core.checkpoint import CheckpointManager
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.task import Task

    graph = TaskGraph()
    graph.add_node(Task("a", register_to_context=False), "a")
    context = ExecutionContext.create(graph, "a")
    context.channel.set("filler", os.urandom(200_000))
    path = sys.argv[1]

    def write(number):
        context.channel.set("number", number)
        CheckpointManager.create_checkpoint(context, path=path, metadata={"number": number})

    def calls_until_killed(at):
        calls = 0

        def count(frame, event, called):
            nonlocal calls
            names = ("open", "write", "close", "fsync", "replace", "rename", "flush")
            if event == "c_call" and called.__name__ in names:
                calls += 1
                if calls == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)

    write(0)
    for at in range(1, 1000):
        child = os.fork()
        if child == 0:
            calls_until_killed(at)
            write(at)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        restored, metadata = CheckpointManager.resume_from_checkpoint(path)
        numbers = restored.channel.get("number"), metadata.user_metadata["number"]
        assert numbers[0] == numbers[1], numbers
        if not os.WIFSIGNALED(status):
            print("killed", at - 1, "times; the last one wrote", numbers[0] == at)
            break
"""


def test_killed_at_any_moment(tmp_path):
    """Whatever the process was about to do, the last checkpoint or the one before is complete, and nothing is mixed."""
    program = textwrap.dedent(KILLED)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "point")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-2000:]
    words = done.stdout.split()
    assert words[0] == "killed"
    assert int(words[1]) > 10
    assert words[-1] == "True"


def test_killed_while_many_are_written(tmp_path):
    """From outside, at a moment that nobody chose."""
    program = textwrap.dedent(KILLED).partition("write(0)")[0] + textwrap.dedent("""
        number = 0
        while True:
            number += 1
            write(number)
            print(number, flush=True)
    """)
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "point")], stdout=subprocess.PIPE, text=True
        ) as child:
            for _ in range(3):
                written = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
        restored, metadata = CheckpointManager.resume_from_checkpoint(str(tmp_path / "point"))
        assert restored.channel.get("number") == metadata.user_metadata["number"] >= written


def a_context(value=1):
    with workflow("w") as wf:
        task("a")(lambda: 1)
        return_value = ExecutionContext.create(wf.graph, "a")
    return_value.channel.set("value", value)
    return return_value


def test_what_can_not_be_written_leaves_the_one_before(tmp_path):
    """What can't be pickled, metadata that are no JSON: nothing is touched, and the error says what it was."""
    path = str(tmp_path / "point")
    context = a_context("before")
    CheckpointManager.create_checkpoint(context, path=path)
    known = context.checkpoint_metadata, context.last_checkpoint_path
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    circular = {}
    circular["itself"] = circular
    context.channel.set("value", "after")
    for metadata in (circular, {(1, 2): "a key that JSON has not"}):
        with pytest.raises(GraflowRuntimeError, match="metadata"):
            CheckpointManager.create_checkpoint(context, path=path, metadata=metadata)
    context.channel.set("lock", threading.Lock())
    with pytest.raises(GraflowRuntimeError, match="can't be pickled"):
        CheckpointManager.create_checkpoint(context, path=path)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    assert (context.checkpoint_metadata, context.last_checkpoint_path) == known
    assert CheckpointManager.resume_from_checkpoint(path)[0].channel.get("value") == "before"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk(tmp_path, monkeypatch, failing):
    """The error is that of the system, with the file's name; no half file is left, and the one before is as it was."""
    path = str(tmp_path / "point")
    context = a_context("before")
    CheckpointManager.create_checkpoint(context, path=path)
    context.channel.set("value", "after")
    names = sorted(os.listdir(tmp_path))

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, failing, fail)
        with pytest.raises(GraflowRuntimeError, match=r"point.*could not be written.*No space left"):
            CheckpointManager.create_checkpoint(context, path=path)
    assert sorted(os.listdir(tmp_path)) == names
    assert CheckpointManager.resume_from_checkpoint(path)[0].channel.get("value") == "before"


def test_metadata_of_another_checkpoint_are_not_taken_for_its_own(tmp_path):
    """Killed between two files, or copied in two parts: what belongs to the context is what counts."""
    for name in ("one", "two"):
        CheckpointManager.create_checkpoint(a_context(name), path=str(tmp_path / name), metadata={"name": name})
    os.replace(tmp_path / "two.meta.json", tmp_path / "one.meta.json")
    restored, metadata = CheckpointManager.resume_from_checkpoint(str(tmp_path / "one"))
    assert (restored.channel.get("value"), metadata.user_metadata) == ("one", {"name": "one"})
    assert restored.checkpoint_metadata == metadata.to_dict()


def test_metadata_that_have_no_text_are_named(tmp_path):
    """What JSON does not have is written as its text, and an object without one as what it is."""

    class Nameless:
        def __str__(self):
            raise ValueError

    metadata = {"path": Path("a"), "nameless": Nameless(), "pair": (1, 2)}
    CheckpointManager.create_checkpoint(a_context(), path=str(tmp_path / "point"), metadata=metadata)
    written = json.loads((tmp_path / "point.meta.json").read_text())["user_metadata"]
    assert (written["path"], written["pair"]) == ("a", [1, 2])
    assert "Nameless" in written["nameless"]
    assert CheckpointManager.resume_from_checkpoint(str(tmp_path / "point"))[1].user_metadata == written


def test_a_link_stays_a_link(tmp_path):
    """The file that a symbolic link leads to is written; files are readable by their owner only."""
    (tmp_path / "far").mkdir()
    os.symlink(tmp_path / "far" / "real.pkl", tmp_path / "point.pkl")
    CheckpointManager.create_checkpoint(a_context(), path=str(tmp_path / "point"))
    assert os.path.islink(tmp_path / "point.pkl")
    assert os.stat(tmp_path / "far" / "real.pkl").st_mode & 0o777 == 0o600
    assert CheckpointManager.resume_from_checkpoint(str(tmp_path / "point"))[0].channel.get("value") == 1


def test_saving_a_context_is_whole_or_not_at_all(tmp_path):
    """`ExecutionContext.save` by the same rules."""
    context = a_context("before")
    context.save(str(tmp_path / "saved"))
    context.channel.set("lock", threading.Lock())
    with pytest.raises(Exception, match="pickle"):
        context.save(str(tmp_path / "saved"))
    assert os.listdir(tmp_path) == ["saved"]
    assert ExecutionContext.load(str(tmp_path / "saved")).channel.get("value") == "before"
