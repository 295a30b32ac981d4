"""Where the store of runs is, and what can be asked of it: the one way to open a store.

Owns the default place, and the plain data that commands print. Must not know what a run's records mean, nor who runs.
A store is opened only by who asks for one; nothing here is imported by a run that keeps nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict, cast

from graflow_fast._core import Store

__all__ = [
    "CheckReport",
    "CleaningReport",
    "Finding",
    "RunRow",
    "check",
    "default_path",
    "gc",
    "list_runs",
    "open_store",
]

#: Where the store is when nobody says otherwise.
DEFAULT = Path(".graflow_fast", "runs.db")

#: The streams of a run: what was done in it, to go on with, and what ran when, to look at.
JOURNAL_STREAM, RECORD_STREAM = 0, 1

#: From here on a store is called large: so much takes a while to copy, and mostly nobody knows that it is there.
LARGE = 10 * 1024**3


class RunRow(TypedDict):
    """What is known of a run without reading what it wrote. JSON takes it as it is."""

    id: int
    name: str | None
    workflow: str
    #: ``running``, ``finished``, ``failed`` or ``cancelled``. A run whose process died is ``running`` and not ``live``.
    state: str
    #: Seconds since 1970.
    started: float
    ended: float | None
    #: How many writers the run had: one more for each time that it was resumed.
    epoch: int
    program: str
    counts: str
    parent: int | None
    #: Whether a process writes it at the moment.
    live: bool


class CleaningReport(TypedDict):
    """What `gc` removed, or would remove."""

    removed: list[RunRow]
    #: Bytes of the file.
    before: int
    after: int


class Finding(TypedDict):
    """Something that is damaged."""

    #: The run concerned; nothing if it is the file.
    run: int | None
    what: str


class CheckReport(TypedDict):
    """What `check` read, and what is wrong with it."""

    runs: int
    records: int
    #: Bytes of the records.
    bytes: int
    findings: list[Finding]


def default_path() -> Path:
    """The store's file: as ``GRAFLOW_FAST_STORE`` says, else ``.graflow_fast/runs.db`` below the working directory."""
    told = os.environ.get("GRAFLOW_FAST_STORE")
    return Path(told) if told else DEFAULT


def open_store(path: str | os.PathLike[str] | None = None, *, read_only: bool = False) -> Store:
    """Opens a store of runs.

    Args:
        path: The file. Without it the default place. If there is none, it is made, with its directory, for you alone.
        read_only: Only look: the store must exist.

    Raises:
        PermissionError: Others own it or may write to it, it is on a network file system, or it is not a store.
        FileNotFoundError: There is none, and it was to be read only.
        OSError: The system refuses, for example since the disk is full.
    """
    chosen = default_path() if path is None else Path(path)
    if chosen == DEFAULT and not read_only:
        hide_default()
    store = Store(os.fspath(chosen), read_only=read_only)
    _warn_if_large(chosen)
    return store


def list_runs(path: str | os.PathLike[str] | None = None) -> list[RunRow]:
    """All runs of a store, the newest first. Takes no longer for runs that wrote much.

    Args:
        path: The store. Without it the default place.

    Raises:
        OSError: As for `open_store`.
    """
    return cast("list[RunRow]", open_store(path, read_only=True).runs())


def gc(
    path: str | os.PathLike[str] | None = None,
    *,
    older: float | None = None,
    keep: int | None = None,
    max_bytes: int | None = None,
    unfinished: bool = False,
    dry: bool = True,
) -> CleaningReport:
    """Removes old runs, and gives their place back to the system: the file shrinks. Runs that are being written stay.

    Args:
        path: The store. Without it the default place.
        older: Runs that ended so many seconds ago, or earlier. With ``keep``, only those beyond the newest.
        keep: How many of the newest stay in any case. Alone: all others go.
        max_bytes: The oldest go until no more bytes are in use.
        unfinished: Also runs that have not ended, which can't be resumed then.
        dry: Only say what would go.

    Raises:
        OSError: As for `open_store`.
    """
    store = open_store(path, read_only=dry)
    found = store.gc(older=older, keep=keep, max_bytes=max_bytes, unfinished=unfinished, dry=dry)
    return cast("CleaningReport", found)


def check(path: str | os.PathLike[str] | None = None) -> CheckReport:
    """Reads all that a store has and says what is damaged. It mends nothing.

    Args:
        path: The store. Without it the default place.

    Raises:
        OSError: As for `open_store`.
    """
    store = open_store(path, read_only=True)
    report = cast("CheckReport", store.check())
    for folder in sorted(Path(store.path).parent.glob(f"{Path(store.path).name}-values-*")):
        _check_values(folder, report)
    return report


def _check_values(folder: Path, report: CheckReport) -> None:
    """Read the large values of a run, which are named by their content."""
    from hashlib import blake2b

    for file in sorted(folder.iterdir()):
        if file.suffix:  # one that nobody names, since its writer was killed
            continue
        data = file.read_bytes()
        report["bytes"] += len(data)
        if blake2b(data, digest_size=20).hexdigest() != file.name:
            run = int(folder.name.rpartition("-")[2])
            report["findings"].append({"run": run, "what": f"run {run}: a value is damaged: {file}"})


def hide_default() -> None:
    """Makes the default place's directory, if that is used: below a project it is nothing to be committed."""
    if default_path() != DEFAULT:
        return
    directory = DEFAULT.parent
    try:
        directory.mkdir(mode=0o700)
    except OSError:
        return  # It is there, or can't be made, which opening the store says better.
    (directory / ".gitignore").write_text("*\n")


def _warn_if_large(path: Path) -> None:
    size = path.stat().st_size
    if size > LARGE:
        import warnings

        text = f"the store of runs {path} has {size / 1024**3:.0f} GB; graflow-fast gc --older 30d makes it smaller"
        warnings.warn(text, ResourceWarning, stacklevel=3)
