"""A tracer for people at a terminal.

Owns the text: one line per event, indented by depth, with the time, a sign and a duration. Must not know the engine
beyond the hooks of `Tracer`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from graflow_fast.core.tracer import Metadata, Tracer

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext

__all__ = ["ConsoleTracer"]

_COLORS = {
    "gray": "\033[90m",
    "green": "\033[92m",
    "red": "\033[91m",
    "yellow": "\033[93m",
    "blue": "\033[94m",
    "cyan": "\033[96m",
}
_RESET = "\033[0m"
_SHOWN_METADATA = ("trace_id", "task_type", "handler_type", "type")


class ConsoleTracer(Tracer):
    """Prints what happens to ``sys.stdout``.

    Each line has a sign (→ start, ✓ end, ✗ failure, ⚡ event), the time to the millisecond, and what happened; ends
    have the time it took.

    Args:
        enable_runtime_graph: Whether to remember what was executed as well.
        enable_colors: Whether to use ANSI colours.
        show_metadata: Whether to print ids and types in parentheses.
        indent_size: Spaces per level of nesting.
    """

    def __init__(
        self,
        enable_runtime_graph: bool = True,
        enable_colors: bool = True,
        show_metadata: bool = True,
        indent_size: int = 2,
    ) -> None:
        super().__init__(enable_runtime_graph=enable_runtime_graph)
        self.enable_colors = enable_colors
        self.show_metadata = show_metadata
        self.indent_size = indent_size
        self._indent_level = 0
        self._start_times: dict[str, datetime] = {}

    def clone(self, trace_id: str) -> ConsoleTracer:
        """A tracer for one branch: the same settings, indented below what is open here, no runtime graph."""
        branch = ConsoleTracer(
            enable_runtime_graph=False,
            enable_colors=self.enable_colors,
            show_metadata=self.show_metadata,
            indent_size=self.indent_size,
        )
        branch._indent_level = max(self._indent_level, 0)
        branch._current_trace_id = trace_id
        return branch

    def on_parallel_group_start(self, group_id: str, member_ids: list[str], context: ExecutionContext) -> None:
        """Print that a group starts."""
        self.event(f"parallel_group_start: {group_id}", metadata={"members": len(member_ids)})
        super().on_parallel_group_start(group_id, member_ids, context)

    def on_parallel_group_end(
        self, group_id: str, member_ids: list[str], context: ExecutionContext, results: Metadata | None = None
    ) -> None:
        """Print that a group ended."""
        counts = {"completed": len(results or {}), "total": len(member_ids)}
        self.event(f"parallel_group_end: {group_id}", metadata=counts)

    def on_dynamic_task_added(
        self,
        task_id: str,
        parent_task_id: str | None = None,
        is_iteration: bool = False,
        metadata: Metadata | None = None,
    ) -> None:
        """Print that a task was added to the running workflow."""
        kind = "ITERATION" if is_iteration else "DYNAMIC"
        parent = f" (parent: {parent_task_id})" if parent_task_id else ""
        self._line("⚡", "yellow", f"+ {kind} TASK: {task_id}{parent}")
        if metadata and self.show_metadata:
            self._line(f"  {self._details(metadata)}", "gray", "", "gray")

    def _output_trace_start(self, name: str, trace_id: str | None, metadata: Metadata | None) -> None:
        self._open("TRACE START", "cyan", name, {"trace_id": trace_id, **(metadata or {})})

    def _output_trace_end(self, name: str, output: Any, metadata: Metadata | None) -> None:
        self._close("TRACE END", "cyan", name)

    def _output_span_start(self, name: str, parent_name: str | None, metadata: Metadata | None) -> None:
        self._open("SPAN START", "blue", name, metadata)

    def _output_span_end(self, name: str, output: Any, metadata: Metadata | None) -> None:
        self._close("SPAN END", "blue", name, (metadata or {}).get("error"))

    def _output_event(self, name: str, parent_span: str | None, metadata: Metadata | None) -> None:
        self._line("⚡", "yellow", f"EVENT: {name}{self._details(metadata)}")

    def _output_attach_to_trace(self, trace_id: str, parent_span_id: str | None) -> None:
        parent = parent_span_id or "none"
        self._line("🔗", "cyan", f"ATTACHED TO TRACE: {trace_id[:16]}... (parent: {parent})")

    def _open(self, what: str, color: str, name: str, metadata: Metadata | None) -> None:
        self._start_times[name] = self._now()
        self._line("→", color, f"{what}: {name}{self._details(metadata)}")
        self._indent_level += 1

    def _close(self, what: str, color: str, name: str, error: object = None) -> None:
        self._indent_level -= 1
        started = self._start_times.pop(name, None)
        took = f" ({_duration(started, self._now())})" if started is not None else ""
        if error:
            self._line("✗", "red", f"{what}: {name} - ERROR: {error}{took}")
        else:
            self._line("✓", "green", f"{what}: {name}{took}", color)

    def _line(self, sign: str, color: str, text: str, text_color: str | None = None) -> None:
        """Print one line; `text_color` is `color` if not given."""
        indent = " " * (self._indent_level * self.indent_size)
        time = self._colored(f"[{self._now().strftime('%H:%M:%S.%f')[:-3]}]", "gray")
        shown = self._colored(text, text_color or color) if text else ""
        print(f"{indent}{self._colored(sign, color)} {time} {shown}")

    def _colored(self, text: str, color: str) -> str:
        return f"{_COLORS[color]}{text}{_RESET}" if self.enable_colors else text

    def _details(self, metadata: Metadata | None) -> str:
        if not metadata or not self.show_metadata:
            return ""
        shown = ", ".join(f"{key}: {value}" for key, value in metadata.items() if key in _SHOWN_METADATA)
        return f" ({shown})" if shown else ""


def _duration(start: datetime, end: datetime) -> str:
    milliseconds = (end - start).total_seconds() * 1000
    return f"{milliseconds:.0f}ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f}s"
