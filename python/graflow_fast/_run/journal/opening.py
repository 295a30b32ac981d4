"""Which run of which store a durable run is: a new one, one that goes on, or one that has ended and is only looked at.

Owns the first entry of a journal: what the program was, and whether it still is. Runs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

from graflow_fast._run.journal.channel import RecordedChannel
from graflow_fast._run.journal.entries import dumped, entries, load
from graflow_fast._run.journal.journal import Journal, check_map
from graflow_fast._run.journal.large import LargeValues
from graflow_fast._run.journal.recorded import Recorded
from graflow_fast._run.stop import user_stack_level
from graflow_fast._store import JOURNAL_STREAM, open_store
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core import registry
from graflow_fast.core.starts import find_starts
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, JournalMismatchError

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._core import Scheduler, Store
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run is compared with what it was."""

        context: ExecutionContext
        settings: Settings
        scheduler: Scheduler
        nodes: NodeTable


#: So many names stand in a message.
_MOST_NAMES = 10


def open_journal(context: ExecutionContext, settings: Settings) -> Journal:
    """Return the journal of a run; its context gets a channel that keeps values by value, with what was there first.

    Raises:
        ConfigError: a durable run can't have one of its options yet.
        GraflowRuntimeError: there is no such run, another process has it, or it began with other values.
        OSError: the store can't be opened.
    """
    _check_channel(context)
    given = {key: context.channel.get(key) for key in context.channel.keys()}  # noqa: SIM118 - a channel is no mapping
    channel = context.channel = RecordedChannel(context.channel.name)
    store = open_store(None if isinstance(settings.durable, bool) else settings.durable)
    _check_record(settings, store.path)
    workflow = _name_of(context)
    row = _row(store, workflow, settings)
    syncs = settings.sync == "power"
    if row is None:
        writer = store.begin(workflow, name=settings.run, program=_program())
        journal = Journal(writer, channel, None, LargeValues(store.path, writer.run), syncs)
        journal.place = store.path, writer.run
    else:
        recorded, journal = _go_on(store, row, channel, syncs)
        journal.place = store.path, row["id"]
        if recorded.begin and given and not settings.resumes:
            _compare_values(recorded, given, row)
        if recorded.begin:
            _take_over(context, recorded, settings)
            given = load(recorded.begin["values"])  # type: ignore[arg-type]
        elif settings.resumes:
            _start_at(context, None)
    for key, value in given.items():
        channel.set(key, value)
    return journal


def _row(store: Store, workflow: str, settings: Settings) -> dict[str, Any] | None:
    """Return what the store knows of the run to go on with, None for a new one."""
    number, _, path = os.environ.get("GRAFLOW_FAST_RESUME", "").partition(" ")
    if number and os.path.realpath(path) == os.path.realpath(store.path):
        asked: dict[str, Any] = store.run(int(number))
        if asked["workflow"] == workflow and asked["state"] in ("running", "failed"):
            return asked
    if settings.run is not None:
        row: dict[str, Any] | None = store.find(settings.run)
        if row is None and settings.resumes:
            raise GraflowRuntimeError(f"There is no run '{settings.run}' in {store.path}; graflow-fast runs lists them")
        if row is not None and row["workflow"] != workflow:
            raise GraflowRuntimeError(
                f"Run '{settings.run}' is of workflow '{row['workflow']}', not of '{workflow}': give another name"
            )
        return row
    row = _latest(store, workflow, ("running", "failed") if settings.resumes else ("running",))
    if settings.resumes:
        if row is None:
            raise GraflowRuntimeError(
                f"There is no run of workflow '{workflow}' in {store.path} that could go on: none is "
                "unfinished or failed"
            )
        return row
    if row is not None and not row["live"]:
        warnings.warn(
            f"Run {row['id']} of workflow '{workflow}' is unfinished, and this is a new one. "
            f"To go on with that one instead: wf.resume({os.fspath(store.path)!r})",
            stacklevel=user_stack_level(),
        )
    return None


def _latest(store: Store, workflow: str, states: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the latest durable run of a workflow in one of these states; one that is only recorded has no program."""
    rows: list[dict[str, Any]] = store.runs()
    found = (row for row in rows if row["workflow"] == workflow and row["program"] and row["state"] in states)
    return next(found, None)


def _go_on(store: Store, row: dict[str, Any], channel: RecordedChannel, syncs: bool) -> tuple[Recorded, Journal]:
    """Return what was written down of a run, and the journal that goes on with it."""
    number = row["id"]
    values = LargeValues(store.path, number)
    if row["state"] in ("finished", "cancelled"):
        recorded = Recorded(entries(store.read(number, JOURNAL_STREAM), values))
        return recorded, Journal(None, channel, recorded, values, syncs)
    writer = store.resume(number)  # before it is read: from now on nobody else writes
    recorded = Recorded(entries(store.read(number, JOURNAL_STREAM), values))
    journal = Journal(writer, channel, recorded, values, syncs)
    if recorded.finished:  # killed between its last entry and the end
        writer.finish("finished")
        journal.writer = None
    elif recorded.failed:
        journal.append(("reopened", *recorded.reopen()))
    if not recorded.begin:  # killed before its first entry
        journal.recorded = None
    return recorded, journal


def _take_over(context: ExecutionContext, recorded: Recorded, settings: Settings) -> None:
    """Let a context be what it was when the run began."""
    begin: dict[str, Any] = recorded.begin
    context.session_id, context.trace_id = begin["session"]
    if settings.resumes:
        _start_at(context, begin["starts"])
        context.max_steps = begin["max_steps"]
    elif list(context.pending) != begin["starts"]:  # a named run, or one that the command line asked for
        raise GraflowRuntimeError(
            f"Run '{settings.run}' began at {', '.join(begin['starts'])}, not at {', '.join(context.pending)}: "
            "give another name for a new run"
        )
    if settings.schedule != begin["schedule"]:
        raise ConfigError(f"The run began with schedule={begin['schedule']!r}, and can't go on with another one")


def _start_at(context: ExecutionContext, starts: list[str] | None) -> None:
    """Let a run begin at these tasks, which may be free ones; None: where it would when nobody says where."""
    workflow = context._workflow
    assert workflow is not None
    context.pending.clear()
    if starts is None:
        context.pending.extend(find_starts(workflow, None, context.settings.schedule == "parallel"))
        return
    for start in starts:
        free = None if workflow.graph.has_node(start) else workflow.find_free_task(start)
        if free is not None:
            registry.attach(free, workflow, skip_if_exists=True)
    context.pending.extend(starts)


def _compare_values(recorded: Recorded, given: dict[str, Any], row: dict[str, Any]) -> None:
    """Refuse other first values than the run began with."""
    before: Any = recorded.begin["values"]
    if dumped(given, "", "initial_channel") != before and load(before) != given:
        raise GraflowRuntimeError(
            f"Run '{row['name']}' began with another initial_channel than it is given now. Give the same one, or none, "
            "to go on; give another name for a new run"
        )


def begin(run: Parts, journal: Journal, changed: str) -> None:
    """Write the first entry of a run that begins; compare it with the program of one that goes on.

    Raises:
        JournalMismatchError: the program lacks tasks or edges that the run had.
    """
    nodes = run.nodes
    names = list(nodes.names)
    edges = [(names[source], names[target]) for source, target in run.scheduler.edges()]
    codes = _codes(names, nodes.tasks)
    for task in nodes.tasks:
        if task.is_map:
            check_map(task)
    recorded = journal.recorded
    if recorded is not None:
        _compare_program(recorded.begin, names, edges, codes, recorded.done(), changed)
        return
    context = run.context
    values = {key: context.channel.get(key) for key in context.channel.keys()}  # noqa: SIM118
    journal.append(
        (
            "begin",
            {
                "time": time.time(),
                "starts": list(context.pending),
                "max_steps": context.max_steps,
                "session": (context.session_id, context.trace_id),
                "schedule": run.settings.schedule,
                "values": dumped(values, "", "initial_channel"),
                "names": names,
                "edges": edges,
                "codes": codes,
                "python": sys.version.split()[0],
            },
        )
    )


def _compare_program(
    before: dict[str, Any],
    names: list[str],
    edges: list[tuple[str, str]],
    codes: dict[str, str],
    done: set[str],
    changed: str,
) -> None:
    """Refuse a program without what the run had; say which tasks that are done have changed."""
    gone = sorted(set(before["names"]) - set(names))
    if gone:
        added = sorted(set(names) - set(before["names"]))
        raise JournalMismatchError(
            gone[0],
            f"the workflow has no more: {_listed('-', gone)}" + (f"; new: {_listed('+', added)}" if added else ""),
        )
    lost = sorted(set(before["edges"]) - set(edges))
    if lost:
        shown = _listed("-", [f"{source} >> {target}" for source, target in lost])
        raise JournalMismatchError(lost[0][1], f"the workflow has no more the edges {shown}")
    other = [name for name in names if name in done and before["codes"].get(name) not in (None, codes.get(name))]
    if other and changed == "refuse":
        raise JournalMismatchError(other[0], f'its code has changed since it was done, and changed="refuse": {other}')
    if other:
        warnings.warn(
            f"The code of tasks that are done has changed; they are not run again: {', '.join(other[:_MOST_NAMES])}",
            stacklevel=user_stack_level(),
        )


def _listed(sign: str, names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(f"{sign} {name}" for name in names[:_MOST_NAMES]) + more


def _codes(names: list[str], tasks: list[Any]) -> dict[str, str]:
    """Return the fingerprints of tasks by their names; many tasks have one function."""
    known: dict[types.CodeType, str] = {}
    codes = {}
    for name, task in zip(names, tasks, strict=True):
        of = task.task if task.is_map else task
        code = getattr(getattr(getattr(of, "_definition", None), "func", None), "__code__", None)
        if code is None:
            codes[name] = ""
            continue
        found = known.get(code)
        if found is None:
            found = known[code] = fingerprint(code)
        codes[name] = found
    return codes


def fingerprint(code: types.CodeType) -> str:
    """Return a fingerprint of a function's code: the same when only comments or lines have changed."""
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, code)
    return digest.hexdigest()


def _feed(digest: Any, code: types.CodeType) -> None:
    digest.update(repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _feed(digest, constant)
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(f"{type(constant).__name__} {constant!r};".encode())


def _check_channel(context: ExecutionContext) -> None:
    if type(context.channel) is not MemoryChannel:
        name = type(context.channel).__name__
        raise ConfigError(f"A durable run keeps the channel itself, so it can't use a {name}; use the default one")


def _check_record(settings: Settings, path: str) -> None:
    record = settings.record
    if not isinstance(record, bool) and os.path.realpath(record) != os.path.realpath(path):
        raise ConfigError(f"A durable run is recorded where it is kept, in {path}; leave out record={record!r}")


def _name_of(context: ExecutionContext) -> str:
    workflow = context._workflow
    return context.session_id[:8] if workflow is None else str(workflow.name)


def _program() -> str:
    return json.dumps({"argv": [sys.executable, *sys.orig_argv[1:]], "cwd": os.getcwd()})


def end(
    journal: Journal, stop_reason: str | None, error: BaseException | None, is_from_outside: bool, counts: str = ""
) -> None:
    """Write down how a run ended. One that somebody ended from outside, or that was interrupted, can go on."""
    writer, failed = journal.writer, error is not None and stop_reason != "canceled"
    if writer is None:
        return
    if is_from_outside or (error is not None and not isinstance(error, Exception)):
        writer.close()
        return
    try:
        state = "cancelled" if stop_reason == "canceled" else "failed" if failed else "finished"
        journal.append(("end", state))
        writer.finish(state, counts)
    except Exception:
        writer.close()
        if error is None:
            raise
