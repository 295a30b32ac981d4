"""Contexts in files: saved whole and loaded again, and what a checkpoint says of one.

Owns what of a context is kept and what belongs to this process only. When a checkpoint is written, and how a run goes
on from it, is `checkpoint`'s.
"""

from __future__ import annotations

from graflow_fast.core._by_hand import ByHand

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from graflow_fast.core.cycle import CycleController

    _Context = TypeVar("_Context", bound="Saved")

#: What belongs to a run in this process, and what was done by hand.
_TRANSIENT = (
    "_completed_names",
    "_run",
    "_run_steps",
    "_step_counts",
    "_workflow",
    "current_task_context",
    "parent_context",
    "_outer_tasks",
    "_checkpoint_asked",
    "_queue",
)


class Saved(ByHand):
    """The part of `ExecutionContext` that files hold."""

    session_id: str
    trace_id: str
    start_node: str | None
    steps: int
    completed_tasks: list[str]
    cycle_controller: CycleController
    _channel_backend_type: str

    def get_checkpoint_state(self) -> dict[str, Any]:
        """Return what a checkpoint's state file says of this context."""
        return {
            "schema_version": "1.0",
            "session_id": self.session_id,
            "trace_id": self.trace_id,
            "start_node": self.start_node,
            "steps": self.steps,
            "completed_tasks": self.completed_tasks,
            "cycle_counts": dict(self.cycle_controller.cycle_counts),
            "backend": {"channel": self._channel_backend_type},
        }

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_steps"] = self.steps
        state.update(dict.fromkeys(_TRANSIENT))
        return state

    def save(self, path: str = "execution_context.pkl") -> None:
        """Write this context to a file, functions and closures included: whole, or (when that fails) not at all.

        The file is readable by its owner only.
        """
        from graflow_fast.core._files import write_whole

        write_whole({path: self.as_bytes()})

    def as_bytes(self) -> bytes:
        """Return what `save` writes."""
        from graflow_fast._wire import by_value

        return by_value.dumps(self)

    @classmethod
    def load(cls: type[_Context], path: str = "execution_context.pkl") -> _Context:
        """Read a context that `save` wrote. Load only files you trust: unpickling runs code.

        Raises:
            TypeError: the file holds something else.
        """
        import pickle

        with open(path, "rb") as file:
            context = pickle.load(file)
        if not isinstance(context, cls):
            raise TypeError(f"{path} holds a {type(context).__name__}, not an ExecutionContext")
        return context
