"""Calls that an `Executor` sends: run them in order, report their results. Knows nothing of workflows.

What travels is a chunk, as for a map; that it names no view tells it from one of a map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.awaited import awaited
from graflow_fast._wire import crossing, effects
from graflow_fast._wire.imports import import_late
from graflow_fast._worker import output, surroundings
from graflow_fast._worker.complaints import complain
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker


def _prepare(worker: Worker, initializer: int) -> None:
    """Call the initializer; what it sets and changes of this process stays.

    Raises:
        BaseException: what it raised.
    """
    try:
        import_late("graflow_fast._worker.initializers").call(worker, initializer)
    except GraflowRuntimeError as error:  # whose message speaks of a run
        raise error.__cause__ or error from None
    surroundings.take()


def run_calls(
    worker: Worker, ticket: int, key: int, name: str, initializer: bytes | None, chunk: bytes
) -> tuple[bytes, bytes]:
    """Run the calls of a chunk up to the first that raises.

    Args:
        worker: what this process has loaded.
        ticket: the chunk's.
        key: the definition of the function; 0 when the function is in the chunk.
        name: what the calls are called in errors.
        initializer: the key of what is called here before the first call, as bytes; None for nothing.
        chunk: (function or None, keywords or None, a tuple of positional arguments for each call).

    Returns:
        The list of results, and what else there is to say of them: (the error of the next call or None, what all of
        them printed, whether the error is the initializer's); empty when that is nothing.
    """
    if initializer is not None and (number := crossing.loads(initializer)) not in worker.initialized:
        try:
            _prepare(worker, number)
        except BaseException as error:
            return crossing.dumps([]), crossing.pack((effects.pack_error(error), output.take() or [], True), [])
    function, keywords, calls = crossing.loads(chunk)
    watch = None
    if key:
        if key not in worker.definitions:
            worker.forget_gone()
        function = worker.definition(key).func
        watch = worker.watches[key]
        if watch is not None and watch.has_streams:
            watch.begin(0, f"{name}[{ticket}]")
    results: list[Any] = []
    failure: BaseException | None = None
    worker.link.begin_body()
    try:
        if keywords:
            for arguments in calls:
                results.append(awaited(function(*arguments, **keywords)))
        else:
            for arguments in calls:
                results.append(awaited(function(*arguments)))
    except BaseException as error:
        failure = error
    if watch is not None:
        try:
            complain(worker, key, name)
        except Exception as error:
            failure = failure or error
    packed, unsendable = _pack_results(name, results)
    failure = unsendable or failure
    pieces = output.take()
    if failure is None and pieces is None:
        return packed, b""
    error_and_trace = None if failure is None else effects.pack_error(failure)
    return packed, crossing.pack((error_and_trace, pieces or [], False), [])


def _pack_results(name: str, results: list[Any]) -> tuple[bytes, BaseException | None]:
    """Return the results as bytes, up to the first that can't be pickled, and why it can't."""
    try:
        return crossing.dumps(results), None
    except Exception:
        pass
    for position, result in enumerate(results):
        try:
            effects.pack_value(name, "result", None, result)
        except Exception as error:
            return crossing.dumps(results[:position]), error
    return crossing.dumps(results), None
