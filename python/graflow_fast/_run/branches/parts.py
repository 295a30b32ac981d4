"""What the core's `Branches` is made of: the tables of a run that branches read and write without Python.

Owns the list of them, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.packing import load_packed
from graflow_fast._wire import crossing
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.memory_channel import MemoryChannel

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._body.scope import LiveStore
    from graflow_fast._core import StepCounts
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.branches import RootBranch
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What branches use of a run."""

        context: ExecutionContext
        nodes: NodeTable
        root: RootBranch
        live: LiveStore
        failures: Failures
        attempts: Attempts
        note_task: Callable[..., None] | None

        def step_counts(self) -> StepCounts:
            """Return what counts the starts and completions of the workflow's own tasks, by node."""


class RootParts:
    """What is read and written of the workflow's own branch; see `rust/python/src/driver/root.rs`."""

    def __init__(self, run: Parts) -> None:
        context = run.context
        channel: Any = run.root.channel
        plain = type(channel) is MemoryChannel
        self.data = channel.data if plain else None
        self.expiries = channel.ttl_data if plain else None
        self.channel = channel
        self.counts = run.step_counts()
        self.retry_counts = context.retry_controller.retry_counts
        self.limited_by = context.limited_by
        self.cycle_limits = context.cycle_controller.node_max_cycles
        self.retry_limits = context.retry_controller.node_max_retries
        self.live = run.live.keys
        self.failed = run.failures.failed
        self.running = run.attempts.running
        record = getattr(context.tracer, "_record", None)
        self.times = None if run.note_task is None or record is None else record.times


class BranchParts:
    """See `rust/python/src/driver/branches.rs`."""

    packed = Packed
    load = staticmethod(load_packed)

    def __init__(self, run: Parts) -> None:
        self.adopt = crossing.adopt
        self.tasks = run.nodes.tasks
        self.names = run.nodes.names
        self.graph = run.nodes.graph._table
        self.ids = run.nodes.ids
        self.root = RootParts(run)
