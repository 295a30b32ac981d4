"""What a tracer is told, and what it does with it by default.

Owns the hooks that the engine calls, in terms of traces (a run), spans (a task) and events, and keeps a record of what
was executed. Subclasses say how each of them is shown: they implement the ``_output_*`` methods. Must not know where
tasks run; the times of a body that ran in another process are handed in.
"""

# ruff: noqa: B027 -- hooks that a subclass may leave out

from __future__ import annotations

from abc import ABC, abstractmethod

from graflow_fast._messages import message_of
from graflow_fast.core._runtime_record import RuntimeRecord

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from typing import Any

    import networkx

    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

    Metadata = dict[str, Any]
else:
    Metadata = dict

__all__ = ["Tracer"]


class Tracer(ABC):
    """Follows a run.

    Times are local, without time zone. Where no time is handed in, it is the one of the enclosing ``at(...)``, else
    the current one.

    Args:
        enable_runtime_graph: Whether to remember what was executed, for ``get_runtime_graph`` and
            ``get_execution_order``.
    """

    silent: bool = False
    """Whether all hooks do nothing but remember, so that the engine may call only ``record_task`` instead of them."""

    def __init__(self, enable_runtime_graph: bool = True) -> None:
        self.enable_runtime_graph = enable_runtime_graph
        self._record = RuntimeRecord() if enable_runtime_graph else None
        self._current_trace_id: str | None = None
        self._event_time: datetime | None = None

    # Traces, spans and events.

    def trace_start(
        self,
        name: str,
        trace_id: str | None = None,
        metadata: Metadata | None = None,
        start_time: datetime | None = None,
    ) -> None:
        """Begin a trace.

        Args:
            name: Its name: the workflow's.
            trace_id: Its id, 32 hexadecimal digits.
            metadata: Anything worth noting.
            start_time: When it began, if not now.
        """
        with self.at(start_time):
            self._current_trace_id = trace_id
            if self._record is not None:
                self._record.start(name, self._now(), {"type": "trace", "trace_id": trace_id, **(metadata or {})})
            self._output_trace_start(name, trace_id, metadata)

    def trace_end(
        self, name: str, output: Any = None, metadata: Metadata | None = None, end_time: datetime | None = None
    ) -> None:
        """End the trace of that name.

        Args:
            name: As at its start.
            output: The workflow's result. It is remembered; who asks for the runtime graph is shown its text.
            metadata: Anything worth adding.
            end_time: When it ended, if not now.
        """
        with self.at(end_time):
            if self._record is not None:
                self._record.end(name, "completed", self._now(), metadata, output)
            self._output_trace_end(name, output, metadata)

    def span_start(
        self,
        name: str,
        parent_name: str | None = None,
        metadata: Metadata | None = None,
        start_time: datetime | None = None,
    ) -> None:
        """Begin a span inside the trace.

        Args:
            name: Its name: the task's id.
            parent_name: The span it belongs to, if any.
            metadata: Anything worth noting.
            start_time: When it began, if not now.
        """
        with self.at(start_time):
            if self._record is not None:
                self._record.start(name, self._now(), {"type": "span", **(metadata or {})})
                if parent_name:
                    self._record.connect(parent_name, name, "parent-child")
            self._output_span_start(name, parent_name, metadata)

    def span_end(
        self, name: str, output: Any = None, metadata: Metadata | None = None, end_time: datetime | None = None
    ) -> None:
        """End the span of that name.

        Args:
            name: As at its start.
            output: The task's result. It is remembered; who asks for the runtime graph is shown its text.
            metadata: Anything worth adding; with an ``error`` in it the span counts as failed.
            end_time: When it ended, if not now.
        """
        with self.at(end_time):
            if self._record is not None:
                status = "failed" if metadata and metadata.get("error") else "completed"
                self._record.end(name, status, self._now(), metadata, output)
            self._output_span_end(name, output, metadata)

    def event(self, name: str, parent_span: str | None = None, metadata: Metadata | None = None) -> None:
        """Tell of something that happened at one moment. It is shown, but not remembered.

        Args:
            name: What happened.
            parent_span: The span in which it did, if any.
            metadata: Anything worth noting.
        """
        self._output_event(name, parent_span, metadata)

    def record_task(
        self,
        task_id: str,
        started: float | None = None,
        ended: float | None = None,
        error: Exception | None = None,
        task_type: str = "TaskWrapper",
        handler_type: str = "direct",
    ) -> None:
        """Remember that a task ran, without showing anything: what the engine calls on a ``silent`` tracer.

        Args:
            task_id: The task.
            started: When its body started, in seconds since the epoch.
            ended: When its body ended, in seconds since the epoch.
            error: What it raised, if it did.
            task_type: The name of the executable's class.
            handler_type: The handler it asked for.
        """
        if self._record is not None:
            self._record.note(task_id, started, ended, error, task_type, handler_type)

    def at(self, time: datetime | None) -> AbstractContextManager[None]:
        """Let what is told inside the block have happened at `time` (None: no change).

        This is how the engine tells of a body that ran in another process, some time ago.
        """
        return _Moment(self, time)

    # Hooks of the engine.

    def on_workflow_start(self, workflow_name: str, context: ExecutionContext) -> None:
        """A run starts. Begins a trace."""
        metadata = {
            "start_node": context.start_node,
            "max_steps": context.max_steps,
            "session_id": context.session_id,
        }
        self.trace_start(workflow_name, trace_id=context.trace_id, metadata=metadata)

    def on_workflow_end(self, workflow_name: str, context: ExecutionContext, result: Any = None) -> None:
        """A run ended with `result`. Ends its trace."""
        self.trace_end(workflow_name, output=result, metadata={"steps": context.steps})

    def on_task_queued(self, task: Executable, context: ExecutionContext) -> None:
        """A task was added to those that are ready to run. Does nothing."""

    def on_task_start(self, task: Executable, context: ExecutionContext) -> None:
        """A task starts. Begins a span, inside that of the task which is running in `context`, if any."""
        metadata = {"task_type": type(task).__name__, "handler_type": getattr(task, "handler_type", "direct")}
        parent = getattr(context, "current_task_id", None) or None
        self.span_start(task.task_id, parent_name=parent, metadata=metadata)

    def on_task_end(
        self, task: Executable, context: ExecutionContext, result: Any = None, error: Exception | None = None
    ) -> None:
        """A task ended, with `result` or with `error`. Ends its span."""
        metadata = {"error": message_of(error), "error_type": type(error).__name__} if error is not None else {}
        self.span_end(task.task_id, output=result, metadata=metadata)

    def on_parallel_group_start(self, group_id: str, member_ids: list[str], context: ExecutionContext) -> None:
        """A parallel group starts. Connects it to those members that are remembered already."""
        if self._record is not None:
            for member_id in member_ids:
                self._record.connect(group_id, member_id, "parallel-member")

    def on_parallel_group_end(
        self, group_id: str, member_ids: list[str], context: ExecutionContext, results: Metadata | None = None
    ) -> None:
        """A parallel group ended; `results` has those of its members, by id. Does nothing."""

    def on_dynamic_task_added(
        self,
        task_id: str,
        parent_task_id: str | None = None,
        is_iteration: bool = False,
        metadata: Metadata | None = None,
    ) -> None:
        """A running task (`parent_task_id`) added a task, or asked to be run again. Does nothing."""

    # Branches and other processes.

    @abstractmethod
    def clone(self, trace_id: str) -> Tracer:
        """A tracer for one branch of a group: the same settings, a state of its own, no runtime graph."""

    def attach_to_trace(self, trace_id: str, parent_span_id: str | None = None) -> None:
        """Make what follows part of a trace that was begun elsewhere, inside the given span of it."""
        self._current_trace_id = trace_id
        self._output_attach_to_trace(trace_id, parent_span_id)

    def flush(self) -> None:
        """Send what is still buffered. Does nothing."""

    def shutdown(self) -> None:
        """Release what the tracer holds; nothing is told to it afterwards. Does nothing."""

    # What is remembered.

    def get_runtime_graph(self) -> networkx.DiGraph | None:
        """What was executed, as a new networkx graph; None if ``enable_runtime_graph`` is off.

        Nodes have ``status`` ("running", "completed" or "failed"), ``start_time``, ``end_time`` (once ended) and
        ``metadata``; edges have ``relation``. Needs the extra ``graph``.
        """
        return self._record.as_networkx() if self._record is not None else None

    def get_execution_order(self) -> list[str]:
        """Names of traces and spans in the order of their start; empty if ``enable_runtime_graph`` is off."""
        return self._record.order if self._record is not None else []

    def get_current_span_id(self) -> str | None:
        """Id of the span that is open now, for tracers that give ids to spans; others return None."""
        return None

    def export_runtime_graph(self, format: str = "dict") -> dict[str, Any] | None:
        """What was executed, as plain data; None if ``enable_runtime_graph`` is off.

        Args:
            format: ``"dict"`` (lists of nodes and edges, and the execution order), ``"json"`` (the same with only
                what JSON has) or ``"graphml"`` (one entry, ``graphml``, with the document; needs the extra ``graph``).

        Raises:
            ValueError: An unknown format.
        """
        if self._record is None:
            return None
        if format == "dict":
            return self._record.as_dict()
        if format == "json":
            return self._record.as_json()
        if format == "graphml":
            return {"graphml": self._record.as_graphml()}
        raise ValueError(f"Unsupported export format: {format}")

    # For subclasses: how things are shown.

    def _now(self) -> datetime:
        """When the event that is being told happened."""
        from datetime import datetime

        return self._event_time or datetime.now()

    @abstractmethod
    def _output_trace_start(self, name: str, trace_id: str | None, metadata: Metadata | None) -> None: ...

    @abstractmethod
    def _output_trace_end(self, name: str, output: Any, metadata: Metadata | None) -> None: ...

    @abstractmethod
    def _output_span_start(self, name: str, parent_name: str | None, metadata: Metadata | None) -> None: ...

    @abstractmethod
    def _output_span_end(self, name: str, output: Any, metadata: Metadata | None) -> None: ...

    @abstractmethod
    def _output_event(self, name: str, parent_span: str | None, metadata: Metadata | None) -> None: ...

    @abstractmethod
    def _output_attach_to_trace(self, trace_id: str, parent_span_id: str | None) -> None: ...


class _Moment:
    """The time of what a tracer is told inside a block."""

    __slots__ = ("_previous", "_time", "_tracer")

    def __init__(self, tracer: Tracer, time: datetime | None) -> None:
        self._tracer = tracer
        self._time = time
        self._previous: datetime | None = None

    # Around each call of a listening tracer: its attribute is set past what a class may do when one is set.

    def __enter__(self) -> None:
        state = self._tracer.__dict__
        self._previous = state.get("_event_time")
        if self._time is not None:
            state["_event_time"] = self._time

    def __exit__(self, *exc_info: object) -> None:
        self._tracer.__dict__["_event_time"] = self._previous
