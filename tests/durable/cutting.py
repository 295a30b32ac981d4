"""Cuts the power of a durable program at random moments. ``cutting.py FOLDER CUTS SEED``; ``cutting.py FOLDER run N``.

The program runs once under `strace`, then the disk is made that a cut may leave, and the program goes on from there.
Prints what went wrong as JSON lines, and at last how many cuts there were.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random

from powercut import Disk, apply, traced

from graflow_fast import chain, task, workflow
from graflow_fast._store import JOURNAL_STREAM, list_runs, open_store
from graflow_fast.core.workflow import WorkflowContext

STEPS, RUNS = 12, 3


def program(folder: Path, number: int, slowly: bool) -> WorkflowContext:
    """Return a chain whose bodies note that they ran."""
    with workflow(f"cut{number}") as made:

        def body(n: int) -> int:
            with open(folder / f"noted{number}", "a") as file:
                file.write(f"{n}\n")
            if slowly:
                time.sleep(0.03)  # longer than the store takes to move what was appended, so there are several moments
            return n * 10 + number

        step = task(body)
        chain(*(step(task_id=f"t{n}", n=n) for n in range(STEPS)))
    return made


def run(folder: Path, number: int, slowly: bool) -> int:
    """Run one of the workflows, or go on with it."""
    made = program(folder, number, slowly)
    result: int = made.execute(durable=folder / "runs.db", run=str(number), executor="inline", sync="kill")
    return result


def journals(store: Path) -> dict[str, list[bytes]]:
    """Return what was written down of each run."""
    opened = open_store(store)
    return {row["name"] or "": list(opened.read(row["id"], JOURNAL_STREAM)) for row in list_runs(store)}


def in_child(folder: Path, whole: dict[str, list[bytes]]) -> str:
    """Look at a store, and go on with its runs, in a child; return what is wrong."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            warnings.simplefilter("ignore")
            said = checked(folder, whole)
        except BaseException:
            said = traceback.format_exc()
        os.write(writable, said.encode()[:60_000])
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def checked(folder: Path, whole: dict[str, list[bytes]]) -> str:
    """Say what is wrong with a store, and with how its runs go on."""
    store = folder / "runs.db"
    found = journals(store) if store.exists() else {}
    for name, records in found.items():
        if records != whole[name][: len(records)]:
            return f"run {name}: what is there is no beginning of what was written"
    for number in range(RUNS):
        before = len(found.get(str(number), ()))
        if run(folder, number, False) != (STEPS - 1) * 10 + number:
            return f"run {number}: another result"
        noted = folder / f"noted{number}"
        again = [int(line) for line in noted.read_text().split()] if noted.exists() else []
        # The first entry is the run's beginning, the last its end; what is between are ends of steps.
        done = min(STEPS, max(0, before - 1))
        if again != list(range(done, STEPS)):
            return f"run {number}: {done} steps were done, and these ran: {again}"
    return ""


def main() -> None:
    """Run, cut, go on."""
    folder = Path(sys.argv[1])
    if sys.argv[2] == "run":
        for number in range(RUNS):
            run(folder, number, True)
        return
    cuts, random = int(sys.argv[2]), Random(int(sys.argv[3]))
    first = folder / "first"
    first.mkdir()
    calls = traced([sys.executable, __file__, str(first), "run"], first, folder / "log")
    whole = journals_in_child(first)
    moments = sorted(random.randrange(len(calls) + 1) for _ in range(cuts))
    disk, done = Disk(), 0
    for number, moment in enumerate(moments):
        for call in calls[done:moment]:
            apply(disk, *call)
        done = moment
        place = made(folder / str(number), disk.after_cut(random))
        wrong = in_child(place, whole)
        if wrong:
            print(json.dumps({"cut": number, "after call": moment, "wrong": wrong}), flush=True)
        for file in place.iterdir():
            file.unlink()
    for call in calls[done:]:
        apply(disk, *call)
    if journals_in_child(made(folder / "ended", disk.surely())) != whole:
        print(json.dumps({"wrong": "the program has ended, and not all that it wrote is on the disk"}))
    print(json.dumps({"cuts": cuts, "calls": len(calls)}))


def made(folder: Path, files: dict[str, bytes]) -> Path:
    """Make a folder with what a disk has of a store."""
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        if name.startswith("runs.db"):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
    return folder


def journals_in_child(folder: Path) -> dict[str, list[bytes]]:
    """Return the journals of a store without having opened one in this process, which forks."""
    import pickle

    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writable, "wb") as out:
            pickle.dump(journals(folder / "runs.db"), out)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as answer:
        found: dict[str, list[bytes]] = pickle.load(answer)
    os.waitpid(child, 0)
    return found


if __name__ == "__main__":
    main()
