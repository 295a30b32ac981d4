"""Runs as ``asyncio`` sees them: awaited, or their results iterated over, while the event loop goes on.

Owns what the cancelling of an awaiting task means for a run. Imported when it is first used, since ``asyncio`` is slow
to import.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from graflow_fast.core.mapping import prepared_stream

if TYPE_CHECKING:
    from graflow_fast.core.workflow import WorkflowContext
    from graflow_fast.core.workflow_run import WorkflowRun

#: What a run says that was ended so.
_MESSAGE = "The asyncio task that waited for it was cancelled"

#: Seconds that a cancelled run is waited for: a body in a thread of this process can't be stopped.
_PATIENCE = 1.0

_END = object()


async def result_of(run: WorkflowRun) -> Any:
    """Return a run's result, or raise what it failed with; when this is cancelled, so is the run."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def tell(_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)

    run.add_done_callback(tell)
    try:
        await ended.wait()
    except asyncio.CancelledError:
        run.cancel(_MESSAGE)
        await _patiently(ended.wait())
        raise
    return run.result()


async def stream_results(
    workflow: WorkflowContext, start_node: str | None, options: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    """Yield the results of a workflow's last map; its run goes on in a thread as far as they are asked for."""
    loop = asyncio.get_running_loop()
    context, results = prepared_stream(workflow, start_node, options)
    surroundings = contextvars.copy_context()
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"graflow_fast stream of {workflow.name}")
    try:
        while True:
            step = loop.run_in_executor(thread, lambda: surroundings.run(_next, results))
            try:
                result = await asyncio.shield(step)
            except asyncio.CancelledError:
                context.cancel_workflow(_MESSAGE)
                await _patiently(step)
                raise
            if result is _END:
                return
            yield result
    finally:
        await _patiently(loop.run_in_executor(thread, surroundings.run, results.close))
        thread.shutdown(wait=False)


def _next(results: Iterator[Any]) -> Any:
    return next(results, _END)


async def _patiently(waiting: Any) -> None:
    """Wait for something for a moment, whatever comes of it."""
    task = asyncio.ensure_future(waiting)
    task.add_done_callback(lambda task: task.cancelled() or task.exception())  # what it raises has been heard
    await asyncio.wait([task], timeout=_PATIENCE)
