"""Finding a run in a store, and reading its record. The one way from a file to `RecordedRun`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._hints import did_you_mean
from graflow_fast._record.reading import columns_of
from graflow_fast._record.run import RecordedRun
from graflow_fast._store import RECORD_STREAM, open_store
from graflow_fast.exceptions import ConfigError

if TYPE_CHECKING:
    from os import PathLike

    from graflow_fast._core import Store
    from graflow_fast._store import RunRow


def load_run(store: str | PathLike[str] | None = None, run: int | str | None = None) -> RecordedRun:
    """Read the record of a run, also of one that is still going on in another process, or was killed.

    Args:
        store: the file that `execute(record=...)` wrote to; None (default): ``GRAFLOW_FAST_STORE``, else
            ``.graflow_fast/runs.db`` below the working directory.
        run: the run's number, or the name that it was given; None (default): the latest.

    Raises:
        ConfigError: the store has no such run, or the run has no record.
        FileNotFoundError: there is no store.
        OSError: the store can't be read.
        BrokenRecordError: the record is damaged.
    """
    opened = open_store(store, read_only=True)
    row = _find(opened, run)
    parts = list(opened.read(row["id"], RECORD_STREAM))
    if not parts:
        raise ConfigError(f"Run {row['id']} of {opened.path} was not recorded: execute(record=True) does that")
    return RecordedRun(columns_of(parts, row["id"], is_running=row["live"]))


def _find(store: Store, run: int | str | None) -> RunRow:
    rows: list[RunRow] = store.runs()  # type: ignore[assignment]
    if not rows:
        raise ConfigError(f"There are no runs in {store.path} yet: execute(record=True) adds one")
    if run is None:
        return rows[0]
    for row in rows:
        if run in (row["id"], row["name"]) or str(run) == str(row["id"]):
            return row
    names = [row["name"] for row in rows if row["name"]]
    hint = did_you_mean(str(run), names) or f"There are: {', '.join(str(row['id']) for row in rows[:10])}"
    raise ConfigError(f"There is no run {run!r} in {store.path}. {hint}")
