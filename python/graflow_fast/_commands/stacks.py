"""Show what running programs are doing now: the line that each busy worker and the program itself are at.

Owns finding the processes, asking them and the words. They answer by themselves (`_stacks`), also while C code runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

from graflow_fast._commands.exit_codes import OK, USAGE
from graflow_fast._commands.stored import add_run
from graflow_fast._stacks import PROGRAM, WORKER, signal_number
from graflow_fast.exceptions import GraflowError

__all__ = ["add_arguments", "call"]

#: Seconds that a process may take to begin with its answer, and between two pieces of it.
_PATIENCE, _PAUSE = 1.0, 0.02
_FRAME = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.*)')
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Where in a worker's block stand since when its task runs, and that there is one (rust/pool/src/claims.rs).
_RUNNING_SINCE, _RUNNING, _NAMED, _CLAIMS = 8 * 8, 11 * 8, 48 * 8, 64 * 8


class Frame(NamedTuple):
    """A place in a program."""

    file: str
    line: int | None
    function: str


class Stack(NamedTuple):
    """What one thread is doing, the innermost frame first."""

    thread: str
    frames: list[Frame]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``stacks``."""
    add_run(parser)
    parser.add_argument("--pid", type=int, help="the program with this process id; needs no record")
    parser.add_argument("--all", action="store_true", help="show idle workers and this package's own lines, too")
    parser.add_argument("--json", action="store_true", help="one object with all programs")


def call(arguments: argparse.Namespace) -> int:
    """Ask and show; return the exit code."""
    try:
        pids = _asked_for(arguments)
    except (GraflowError, OSError) as error:
        print(f"graflow-fast: {error}", file=sys.stderr)
        return USAGE
    found = [_look(pid) for pid in pids]
    if arguments.json:
        print(json.dumps({"format": 1, "programs": found}))
    else:
        for program in found:
            _show(program, everything=arguments.all)
    return OK


def _asked_for(arguments: argparse.Namespace) -> list[int]:
    """Return the programs to ask.

    Raises:
        ConfigError: there is none, or the one that was named isn't running.
    """
    from graflow_fast.exceptions import ConfigError

    if arguments.pid is not None:
        if _answers_at(arguments.pid, PROGRAM) is None:
            raise ConfigError(
                f"Process {arguments.pid} can't be asked: it is not yours, has ended, or has run no workflow yet"
            )
        return [arguments.pid]
    if arguments.run is not None or arguments.store is not None:
        from graflow_fast._record.loading import load_run

        meta = load_run(arguments.store, arguments.run).columns().meta
        if meta["outcome"] != "running":
            raise ConfigError(f"Run {meta['run']} is not running: it is {meta['outcome']}")
        return [int(meta["pid"])]
    own = os.getuid()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    found = [pid for pid in sorted(pids) if _owner(pid) == own and _answers_at(pid, PROGRAM) is not None]
    if not found:
        raise ConfigError("No program of yours is running a workflow on this machine")
    return found


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _descriptor(pid: int, name: str) -> str | None:
    """Return the path of a process's file in memory of that name."""
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            try:
                if os.readlink(path).startswith(f"/memfd:{name} "):
                    return path
            except OSError:
                continue
    except OSError:
        pass
    return None


def _answers_at(pid: int, kind: str) -> str | None:
    """Return where a process answers, None if it has no handler for the signal, which would end it."""
    path = _descriptor(pid, kind)
    if path is None:
        return None
    try:
        with open(f"/proc/{pid}/status") as status:
            caught = next((line.split()[1] for line in status if line.startswith("SigCgt:")), "0")
    except OSError:
        return None
    return path if int(caught, 16) >> (signal_number() - 1) & 1 else None


def _look(pid: int) -> dict[str, Any]:
    """Return what a program and its workers are doing."""
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())
        running = time.time() - process.create_time()
        below = [child.pid for child in process.children(recursive=True)]
    except psutil.Error:
        command, running, below = "", 0.0, []
    found = {child: path for child in sorted(below) if (path := _answers_at(child, WORKER)) is not None}
    own = _answers_at(pid, PROGRAM)
    answers = _ask({**found, **({} if own is None else {pid: own})})
    workers = [
        {
            "pid": child,
            **_running(child),
            "memory": _memory(child),
            "threads": _plain(answers.get(child)),
        }
        for child in found
    ]
    return {"pid": pid, "command": command, "seconds": running, "threads": _plain(answers.get(pid)), "workers": workers}


def _ask(files: dict[int, str]) -> dict[int, list[Stack]]:
    """Ask processes, all at once, what their threads are doing.

    Args:
        files: where each of them answers, by process id.

    Returns:
        The answers of those that give one: a stopped process doesn't, nor one that has masked the signal.
    """
    waiting: dict[int, tuple[int, int]] = {}
    for pid, path in files.items():
        try:
            file = os.open(path, os.O_RDONLY)
            waiting[pid] = file, os.fstat(file).st_size
            os.kill(pid, signal_number())
        except OSError:
            continue  # it has ended
    found: dict[int, list[Stack]] = {}
    sizes: dict[int, int] = {}
    until = time.monotonic() + _PATIENCE
    while len(found) < len(waiting) and time.monotonic() < until:
        time.sleep(_PAUSE)
        for pid, (file, begin) in waiting.items():
            size = os.fstat(file).st_size
            if pid not in found and size > begin and size == sizes.get(pid):
                found[pid] = _stacks_of(os.pread(file, size - begin, begin).decode("utf-8", "replace"))
            sizes[pid] = size
    for file, _ in waiting.values():
        os.close(file)
    return found


def _stacks_of(text: str) -> list[Stack]:
    """Return the stacks in what `faulthandler` wrote."""
    found: list[Stack] = []
    for line in text.splitlines():
        if line.startswith(("Thread", "Current thread", "Stack (")):
            found.append(Stack(line.partition(" (most recent")[0], []))
        elif (match := _FRAME.match(line)) and found:
            file, number, function = match.groups()
            found[-1].frames.append(Frame(file, int(number) if number.isdigit() else None, function))
    return found


def _plain(stacks: list[Stack] | None) -> list[dict[str, Any]] | None:
    if stacks is None:
        return None
    return [{"thread": stack.thread, "frames": [frame._asdict() for frame in stack.frames]} for stack in stacks]


def _running(pid: int) -> dict[str, Any]:
    """Return which task a worker runs, as ``task``, and for how many seconds, as ``running``; None if it runs none."""
    block, path = b"", _descriptor(pid, "graflow-claims")
    if path is not None:
        with suppress(OSError), open(path, "rb") as claims:
            block = claims.read(_CLAIMS)
    ticket = struct.unpack_from("<Q", block, _RUNNING)[0] if len(block) == _CLAIMS else 0
    if not ticket:
        return {"task": None, "running": None}
    since = max(0.0, time.monotonic() - float(struct.unpack_from("<Q", block, _RUNNING_SINCE)[0]) / 1e9)
    named, length = struct.unpack_from("<QQ", block, _NAMED)
    name = block[_NAMED + 16 :][:length].decode("utf-8", "replace")
    return {"task": name if named == ticket else None, "running": since}


def _memory(pid: int) -> int | None:
    """Return how many bytes of memory a process has."""
    try:
        with open(f"/proc/{pid}/statm") as sizes:
            return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _show(program: dict[str, Any], *, everything: bool) -> None:
    from graflow_fast._record.words import seconds_words

    print(f"pid {program['pid']}, {seconds_words(program['seconds'])}: {program['command']}")
    _show_threads(program["threads"], everything=everything)
    idle = 0
    for worker in program["workers"]:
        if worker["running"] is None and not everything and worker["threads"] is not None:
            idle += 1
            continue
        name = worker["task"] or "a task"
        took = "idle" if worker["running"] is None else f"{name} since {seconds_words(worker['running'])}"
        memory = "" if worker["memory"] is None else f", {worker['memory'] / 1e6:.0f} MB"
        print(f"  worker pid {worker['pid']}, {took}{memory}")
        _show_threads(worker["threads"], everything=everything)
    if idle:
        print(f"  {idle} idle worker{'s' if idle > 1 else ''}")


def _show_threads(threads: list[dict[str, Any]] | None, *, everything: bool) -> None:
    """Show where each thread is: the program's own lines, those of this package only where nothing else is known."""
    if threads is None:
        print("    does not answer: it is stopped, or has masked the signal")
        return
    for thread in threads:
        frames = thread["frames"]
        own = frames if everything else _of_body(frames)
        for frame in own:
            print(f"    {_place(frame)}")
        if everything and len(threads) > 1:
            print(f"    ({thread['thread']})")


def _of_body(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the frames of a body: from the innermost to the first of this package, which called it."""
    found = []
    for frame in frames:
        if frame["file"].startswith(_OURS):
            break
        found.append(frame)
    return found


def _place(frame: dict[str, Any]) -> str:
    import linecache

    line = linecache.getline(frame["file"], frame["line"] or 0).strip()
    file = os.path.relpath(frame["file"]) if frame["file"].startswith(os.getcwd() + os.sep) else frame["file"]
    return f"{file}:{frame['line']} in {frame['function']}" + (f": {line}" if line else "")
