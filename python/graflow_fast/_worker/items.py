"""A chunk of a map in a worker: run its items, report their results as one list. Knows nothing of other chunks."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING
from graflow_fast._body.items import Body, Outcome, run_items
from graflow_fast._wire import crossing, effects
from graflow_fast._wire.imports import import_late
from graflow_fast._worker import output
from graflow_fast._worker.complaints import complain
from graflow_fast._worker.remote import WorkerContext
from graflow_fast._worker.tasks import cached_body

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker


def run_chunk(
    worker: Worker,
    ticket: int,
    key: int,
    name: str,
    view_key: int,
    bound: bytes | None,
    chunk: bytes,
) -> tuple[bytes, bytes]:
    """Run a chunk and return its results and its record (empty when nothing but results came of it), as bytes."""
    first, packed_items, detailed, previous, item_extra, spread = pickle.loads(chunk)
    items = crossing.loads(packed_items)
    view = worker.views.get(view_key)
    if view is None:
        view = worker.view(view_key)  # first, since it may call an initializer
    definition = worker.definition(key)

    watch = worker.watches[key]

    def context_of(item_id: str) -> WorkerContext:
        if watch is not None:
            watch.begin(view.seed, item_id)
        part = int(item_id[len(name) + 1 : -1]), item_id
        return WorkerContext(worker.link, ticket, view, definition, item_id, item_extra, part)

    def bound_arguments() -> dict[str, Any]:
        return {} if bound is None else crossing.loads(bound)

    value = NOTHING if previous is None else lambda: crossing.loads(previous)
    body = Body(definition, name, bound_arguments, context_of, value, begins=worker.link.begin_body, spread=spread)
    if definition.cache is not None:
        body.func = cached_body(worker, definition, view.session_id)
    elif definition.is_surrounded:
        body.func = import_late("graflow_fast._body.resources").body_of(definition, view.session_id)
    each = watch is not None and watch.has_streams
    body.needs_context = body.needs_context or each
    outcome = run_items(body, items, first, detailed=detailed or each, take_output=output.take)
    if not detailed:
        outcome.times = None
    if watch is not None:
        # Where this is an error the items are run again one by one, so that each is named.
        complain(worker, key, name)
        pieces = output.take()
        if pieces:
            outcome.pieces.append((max(0, len(outcome.results) - 1), pieces))
    results = _pack_results(name, first, outcome)
    failures = [(position, effects.pack_error(error)) for position, error in outcome.failures]
    logs, directives = _pack_effects(name, first, outcome, failures)
    if not (failures or logs or directives or outcome.pieces or outcome.times):
        return results, b""
    record = (failures, logs, directives, outcome.pieces, outcome.times)
    return results, crossing.pack(record, [])


def _pack_results(name: str, first: int, outcome: Outcome) -> bytes:
    """Return the results as bytes; items whose result can't be pickled count as failed."""
    try:
        return crossing.dumps(outcome.results)
    except Exception:
        pass
    for position, result in enumerate(outcome.results):
        try:
            effects.pack_value(f"{name}[{first + position}]", "result", None, result)
        except Exception as error:
            outcome.results[position] = None
            outcome.failures.append((position, error))
    return crossing.dumps(outcome.results)


def _pack_effects(name: str, first: int, outcome: Outcome, failures: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return logs and directives with their values as bytes; items whose effects can't be pickled count as failed."""
    logs, directives = [], []
    broken: dict[int, Any] = {}
    for position, log in outcome.logs:
        try:
            logs.append((position, effects.pack_log(f"{name}[{first + position}]", log)))
        except Exception as error:
            broken[position] = error
    for position, asked in outcome.directives:
        try:
            item_id = f"{name}[{first + position}]"
            directives.append((position, [effects.packed_directive(item_id, directive) for directive in asked]))
        except Exception as error:
            broken[position] = error
    failed = {position for position, _ in failures}
    for position, reason in broken.items():
        if position not in failed:
            failures.append((position, effects.pack_error(reason)))
    return logs, directives
