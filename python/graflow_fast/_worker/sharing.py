"""Reports of a worker that has to do with shared memory. What segments are is `_wire/shared`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._wire.shared import segments

if TYPE_CHECKING:
    from graflow_fast._core import WorkerLink

#: A flag of a report: it names shared memory.
_SHARED = 8


def send(link: WorkerLink, ticket: int, flags: int, result: bytes, record: bytes) -> None:
    """Report a task, and say whether the report names memory that must be opened first."""
    if segments.arena.fresh and segments.sent(result, record):
        flags |= _SHARED
    if segments.used() and not link.has_queued():
        segments.rest()  # before the coordinator hears of it: what it sends next shall find the memory free
    link.report(ticket, flags, result, record)
