"""Who keeps, shows or logs what a run does, where it is asked for: the record, the display, the journal, the log.

Owns their beginning and end in the order in which one needs the other. What each of them does is its own business; it
is imported when somebody asks for it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._actions import Action
    from graflow_fast._body.scope import LiveStore
    from graflow_fast._core import Scheduler
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.journal.replay import Maps, Replay
    from graflow_fast._run.log import Log
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.outside import Outside
    from graflow_fast._run.progress import Shown
    from graflow_fast._run.recording import Recording
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run they see."""

        context: ExecutionContext
        settings: Settings
        scheduler: Scheduler
        nodes: NodeTable
        branches: BranchTable
        attempts: Attempts
        bodies: Bodies
        failures: Failures
        live: LiveStore
        outside: Outside
        recording: Recording | None
        shown: Shown | None
        log: Log | None
        journal: Journal | None
        places: Places
        replay: Replay | None
        clock: Callable[[], float]

        def map_side(self) -> Maps:
            """Return what runs its maps."""


def open_journal(run: Parts) -> None:
    """Find or begin the durable run that this is, before there are nodes: its channel is another one."""
    from graflow_fast._run.journal.opening import open_journal

    run.journal = open_journal(run.context, run.settings)
    run.clock = run.journal.now


def attach_journal(run: Parts, journal: Journal) -> None:
    """Let the parts of a run tell its journal of what they do."""
    run.attempts.journal = journal
    journal.attach(run)


def begin(run: Parts, notice: Callable[[Action], object]) -> None:
    """Begin to listen; ``notice`` carries out an action that starts no body.

    Raises:
        OSError: the store can't be opened.
        JournalMismatchError: the program is not that of the durable run that is to go on.
    """
    if run.settings.record and run.journal is None:
        _begin_record(run)
    _begin_display(run)
    try:
        if run.journal is not None:
            _begin_journal(run, run.journal, notice)
            _begin_durable_record(run, run.journal)
    except BaseException as error:
        refused(run, error)
        raise
    if "logging" in sys.modules:
        from graflow_fast._run.log import Log

        run.log = Log.begin(_name(run.context), run.settings)


def refused(run: Parts, error: BaseException) -> None:
    """The run could not begin."""
    _end_record(run, error)
    if run.journal is not None and run.journal.writer is not None:
        run.journal.writer.close()


def end(run: Parts, error: BaseException | None) -> None:
    """Say how the run ended: well, if there is no error."""
    counts = _end_record(run, error)
    if run.log is not None:
        run.log.end(_outcome(run, error), error)
    if run.journal is not None:
        from graflow_fast._run.journal.opening import end

        end(run.journal, run.context.stop_reason, error, run.outside.has_ended_it(), counts)


def _begin_record(run: Parts) -> None:
    from graflow_fast._run.recording import Recording
    from graflow_fast._store import open_store

    record, name = run.settings.record, _name(run.context)
    store = open_store(None if isinstance(record, bool) else record)
    writer = store.begin(name)
    run.recording = Recording(writer, run.scheduler, run.nodes, run.settings, name, run.context.trace_id)
    run.recording.begin()
    run.context._record = store.path, writer.run


def _begin_durable_record(run: Parts, journal: Journal) -> None:
    """Begin the record of a durable run, which lies beside its journal; one that has ended has it already."""
    from graflow_fast._run.recording import Recording

    run.context._record = journal.place
    if journal.writer is None:
        return
    run.recording = Recording(
        journal.writer,
        run.scheduler,
        run.nodes,
        run.settings,
        _name(run.context),
        run.context.trace_id,
        journal.now(),
    )
    if run.replay is None:
        run.recording.begin()


def _begin_display(run: Parts) -> None:
    wish = run.settings.progress
    if (not wish or wish == "off") and "GRAFLOW_FAST_PROGRESS" not in os.environ:
        return
    from graflow_fast._run.progress import Shown, mode_of

    mode = mode_of(wish)
    if mode is not None and run.context.parent_context is None:
        run.shown = Shown(mode, run.scheduler, run.nodes, run.settings, _name(run.context))


def _begin_journal(run: Parts, journal: Journal, notice: Callable[[Action], object]) -> None:
    from graflow_fast._run.journal.opening import begin
    from graflow_fast._run.journal.replay import Replay

    begin(run, journal, run.settings.changed)
    if journal.recorded is not None:
        run.replay = Replay(run, journal, notice)
        journal.time = run.replay.start_time()


def caught_up(run: Parts) -> None:
    """A durable run is where earlier processes had brought it."""
    if run.recording is not None:
        run.recording.begin()


def _end_record(run: Parts, error: BaseException | None) -> str:
    """End the record, if there is one; return what a list of runs shows of it."""
    recording, run.recording = run.recording, None
    shown, run.shown = run.shown, None
    outcome = _outcome(run, error)
    if shown is not None:
        shown.end(outcome, error)
    if recording is None:
        return ""
    recording.end(outcome, error)
    return recording.counts


def _outcome(run: Parts, error: BaseException | None) -> str:
    return run.context.stop_reason or ("completed" if error is None else "failed")


def _name(context: ExecutionContext) -> str:
    workflow = context._workflow
    return f"workflow_{context.session_id[:8]}" if workflow is None else str(workflow.name)
