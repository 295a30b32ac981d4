"""What a durable run writes down of a map's items as they end.

Owns what an entry has of a chunk, and that items of which something can't be written down fail. What a process that
goes on makes of it is `restored`'s.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.items import Outcome
from graflow_fast._body.output import STDERR, STDOUT
from graflow_fast._cache.said import as_crossing
from graflow_fast._run.journal import wishes
from graflow_fast._run.journal.entries import (
    SCALARS,
    by_value,
    dumped,
    dumped_error,
    load,
    load_error,
    portable,
    restored,
)
from graflow_fast._run.journal.items import ITEMS, SHOWN, ItemsEnd
from graflow_fast._run.maps.digests import SIZE, digests
from graflow_fast.exceptions import GraflowRuntimeError, TaskSerializationError

if TYPE_CHECKING:
    from collections.abc import Container

    from graflow_fast._body.output import Piece
    from graflow_fast._body.scope import Operation
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.journal.entries import Entry
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.maps.batches import Chunk
    from graflow_fast._run.nodes import NodeTable


class Packed:
    """What is written down of a chunk, but for what becomes of the items that failed."""

    __slots__ = ("logs", "results", "wishes")

    def __init__(self) -> None:
        self.results = b""
        self.logs: list[tuple[int, list[tuple[Any, ...]]]] = []
        self.wishes: list[tuple[int, list[Any]]] = []


class KeptItems:
    """Writes down what becomes of one map's items."""

    def __init__(self, journal: Journal, nodes: NodeTable, attempt: Attempt) -> None:
        self._journal = journal
        self._nodes = nodes
        self._attempt = attempt
        self._key = journal.key_of(attempt.ticket, attempt.node, attempt.branch.id)
        #: Before which item all that was said is shown, as the journal knows.
        self._shown = 0

    def history(self) -> list[Entry]:
        """Return what earlier processes wrote down of this map, in order."""
        recorded = self._journal.recorded
        return [] if recorded is None else recorded.items(self._key)

    def name(self, index: int) -> str:
        """Return what an item is called."""
        return f"{self._attempt.task_id}[{index}]"

    # --- writing

    def digests(self, items: list[Any]) -> bytes:
        """Return what items are, before a body can change them."""
        return digests(items)

    def packed(self, first: int, outcome: Outcome) -> Packed:
        """Return what is written down of items that ran; what they returned becomes a copy.

        Those of which something can't be written down fail in the outcome.
        """
        packed, refused = Packed(), {}
        failed = {position for position, _ in outcome.failures}
        for position, log in list(outcome.logs):
            try:
                packed.logs.append((position, _portable_log(self.name(first + position), log)))
            except TaskSerializationError as error:
                refused[position] = error
                outcome.logs.remove((position, log))
        for position, asked in outcome.directives:
            name = self.name(first + position)
            try:
                if position not in failed:
                    packed.wishes.append((position, wishes.packed(self._nodes, self._attempt, asked, name)))
            except TaskSerializationError as error:
                refused.setdefault(position, error)
        packed.results = self._packed_results(first, outcome, refused)
        outcome.failures.extend((position, error) for position, error in refused.items() if position not in failed)
        return packed

    def _packed_results(self, first: int, outcome: Outcome, refused: dict[int, TaskSerializationError]) -> bytes:
        results = outcome.results
        for position in refused:
            results[position] = None
        what = "the results of its items"
        if all(type(result) in SCALARS for result in results):
            return dumped(results, self._attempt.task_id, what)
        try:
            data = dumped(results, self._attempt.task_id, what)
            outcome.results = load(data)
            return data
        except Exception:  # one of them can't be written down, or not be read again; which?
            for position, result in enumerate(results):
                try:
                    results[position] = _copy_of(result, self.name(first + position))
                except TaskSerializationError as error:
                    refused[position] = error
                    results[position] = None
        return dumped(results, self._attempt.task_id, what)

    def append(
        self,
        chunk: Chunk,
        outcome: Outcome,
        packed: Packed,
        delays: dict[int, float | None],
        hopeless: Container[str],
    ) -> None:
        """Write down how a chunk ended, and in how many seconds those that failed are tried again; None: never.

        Raises:
            OSError: the store can't take it.
        """
        failures, undone = [], set()
        for position, error in outcome.failures:
            if not isinstance(error, Exception):  # it left the run, and is to be done by who goes on with it
                undone.add(position)
                continue
            name = self.name(chunk.first + position)
            kept = dumped_error(error, name)
            failures.append((position, kept, delays[position], name in hopeless))
            if delays[position] is None:
                _keep_loadable(chunk, position, error, kept)
        end = ItemsEnd(
            ITEMS,
            self._key,
            time.time(),
            chunk.first,
            chunk.size,
            chunk.number,
            chunk.batch.digests[chunk.position * SIZE : (chunk.position + chunk.size) * SIZE],
            packed.results,
            failures,
            [(position, log) for position, log in packed.logs if position not in undone],
            [(position, asked) for position, asked in packed.wishes if position not in undone],
            [(position, self._packed_pieces(pieces)) for position, pieces in outcome.pieces],
            outcome.times,
            chunk.seconds,
            frozenset(undone),
        )
        self._journal.append(tuple(end))

    def _packed_pieces(self, pieces: list[Piece]) -> bytes:
        plain = [as_crossing(piece) for piece in pieces]
        try:
            return dumped(plain, self._attempt.task_id, "what its items said")
        except TaskSerializationError:
            texts = [piece for piece in plain if piece[0] in (STDOUT, STDERR)]
            return dumped(texts, self._attempt.task_id, "what its items said")

    def shown(self, index: int) -> None:
        """Note that all that items before one have said so far is shown, unless it only waits in the branch."""
        if index > self._shown and self._attempt.branch.flows():
            self._shown = index
            self._journal.append((SHOWN, self._key, index))

    # --- reading

    def outcome(self, end: ItemsEnd) -> Outcome:
        """Return what became of the items of a chunk in an earlier process, but for those that are to run again.

        Raises:
            GraflowRuntimeError: a result can't be loaded any more.
        """
        found, undone = Outcome(), end.undone
        try:
            found.results = load(end.results)
        except Exception as error:
            raise GraflowRuntimeError(
                f"This durable run has the results of {self.name(end.first)} and {end.size - 1} items behind it, but "
                "their class can't load them any more. Bring back what they name as it was, or begin a new run",
                cause=error,
            ) from error
        found.failures = [
            (position, load_error(kept)) for position, kept, _, _ in end.failures if position not in undone
        ]
        found.logs = [(position, _restored_log(log)) for position, log in end.logs if position not in undone]
        for position, asked in end.wishes:
            if position not in undone:
                found.directives.append((position, wishes.restored(self._nodes, self._attempt, asked)))
        found.pieces = [(position, load(pieces)) for position, pieces in end.pieces]
        found.times = end.times
        return found


def _portable_log(name: str, log: list[Operation]) -> list[tuple[Any, ...]]:
    return [
        (operation, key, portable(by_value(value, name, f"the channel's value '{key}'")), expires)
        for operation, key, value, expires in log
    ]


def _restored_log(log: list[tuple[Any, ...]]) -> list[Operation]:
    return [(operation, key, restored(value), expires) for operation, key, value, expires in log]


def _copy_of(result: Any, name: str) -> Any:
    data = dumped(result, name, "the result")
    try:
        return load(data)
    except Exception as error:
        raise TaskSerializationError(name, "the result (which can't be loaded again)", cause=error) from error


def _keep_loadable(chunk: Chunk, position: int, error: Exception, kept: bytes) -> None:
    """Let what stands for a failed item be what a process that goes on would have."""
    found = load_error(kept)
    if type(found) is not type(error):
        failed = chunk.batch.failed
        failed[chunk.position + position] = found, failed[chunk.position + position][1]
