"""Checkpoints: a context and its waiting work, written to files and resumed from them.

Owns the files. What the waiting work is comes from the run (`graflow_fast._run.resume`).
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core.context import ExecutionContext
from graflow_fast.exceptions import GraflowRuntimeError

logger = logging.getLogger(__name__)


@dataclass
class CheckpointMetadata:
    """What is kept beside a checkpoint.

    Attributes:
        checkpoint_id: unique name; session_id: the run's id; created_at: UTC, ISO 8601.
        steps: tasks completed so far; start_node: where the run started.
        backend: where the parts are; user_metadata: what the caller gave.
    """

    checkpoint_id: str
    session_id: str
    created_at: str
    steps: int
    start_node: str | None
    backend: dict[str, str]
    user_metadata: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CheckpointMetadata:
        """Make metadata of what `to_dict` returned."""
        return cls(
            checkpoint_id=data["checkpoint_id"],
            session_id=data["session_id"],
            created_at=data["created_at"],
            steps=data["steps"],
            start_node=data.get("start_node"),
            backend=data.get("backend", {}),
            user_metadata=data.get("user_metadata", {}),
        )

    @classmethod
    def create(
        cls,
        *,
        checkpoint_id: str,
        session_id: str,
        steps: int,
        start_node: str | None,
        backend: dict[str, str],
        user_metadata: dict[str, Any],
    ) -> CheckpointMetadata:
        """Make metadata stamped with the present time."""
        now = datetime.now(timezone.utc).isoformat()
        return cls(checkpoint_id, session_id, now, steps, start_node, backend, user_metadata)


class CheckpointManager:
    """Writes checkpoints and resumes from them.

    A checkpoint is three files: ``.pkl``, ``.state.json``, ``.meta.json``.
    """

    @classmethod
    def create_checkpoint(
        cls,
        context: ExecutionContext,
        *,
        path: str | None = None,
        metadata: dict[str, Any] | None = None,
        resuming_task_id: str | None = None,
    ) -> tuple[str, CheckpointMetadata]:
        """Write a checkpoint of a context.

        Args:
            context: the run's context.
            path: where to write, with or without ``.pkl``; default: below ``checkpoints/<session>/``.
            metadata: kept beside the checkpoint.
            resuming_task_id: the task that a resumed run starts with, before what waits.

        Returns:
            The path of the ``.pkl`` file, and the metadata.

        Raises:
            NotImplementedError: the path names a store other than the file system.
            GraflowRuntimeError: something in the context can't be pickled.
        """
        from graflow_fast._run.resume import snapshot

        _refuse_remote(path)
        base = _base_path(context, path)
        os.makedirs(os.path.dirname(base) or ".", exist_ok=True)
        waiting, resume_state = snapshot(context, resuming_task_id)
        state = {
            **context.get_checkpoint_state(),
            "pending_tasks": [_waiting_task(context, name) for name in waiting],
            "resuming_task_id": resuming_task_id,
        }
        written = CheckpointMetadata.create(
            checkpoint_id=f"{context.session_id}_{context.steps}_{int(time.time())}",
            session_id=context.session_id,
            steps=context.steps,
            start_node=context.start_node,
            backend=state["backend"],
            user_metadata=dict(metadata or {}),
        )
        outer = (context.pending, context.resume_state, context.checkpoint_metadata, context.last_checkpoint_path)
        context.pending = type(context.pending)(waiting)
        context.resume_state = resume_state
        context.checkpoint_metadata = written.to_dict()
        context.last_checkpoint_path = f"{base}.pkl"
        try:
            context.save(f"{base}.pkl")
        except Exception as error:
            context.checkpoint_metadata, context.last_checkpoint_path = outer[2], outer[3]
            show_user_lines(error)
            raise GraflowRuntimeError(
                f"The checkpoint '{base}.pkl' could not be written: something in the workflow or its channel "
                f"can't be pickled ({error})",
                error,
            ) from error
        finally:
            context.pending, context.resume_state = outer[0], outer[1]
        _write_json(f"{base}.state.json", state)
        _write_json(f"{base}.meta.json", written.to_dict())
        logger.info("Checkpoint created at: %s", f"{base}.pkl")
        return f"{base}.pkl", written

    @classmethod
    def resume_from_checkpoint(cls, checkpoint_path: str) -> tuple[ExecutionContext, CheckpointMetadata]:
        """Read a checkpoint; ``WorkflowEngine().execute(context)`` goes on where it was written.

        Load only files you trust: unpickling runs code.

        Raises:
            NotImplementedError: the path names a store other than the file system.
            FileNotFoundError: one of the three files is missing.
        """
        _refuse_remote(checkpoint_path)
        base = checkpoint_path.removesuffix(".pkl")
        context = ExecutionContext.load(f"{base}.pkl")
        with open(f"{base}.state.json", encoding="utf-8"):
            pass  # all it says is in the other file, too: but half a copy of a checkpoint is none
        with open(f"{base}.meta.json", encoding="utf-8") as file:
            metadata = CheckpointMetadata.from_dict(json.load(file))
        context.checkpoint_metadata = metadata.to_dict()
        context.last_checkpoint_path = f"{base}.pkl"
        context.stop_reason = None
        return context, metadata


def _waiting_task(context: ExecutionContext, name: str) -> dict[str, Any]:
    """Return what the state says of a task that waits."""
    retries = context.retry_controller
    last_error = retries.get_last_error(name)
    return {
        "task_id": name,
        "status": "ready",
        "created_at": time.time(),
        "retry_count": retries.get_retry_count(name),
        "max_retries": retries.get_max_retries_for_node(name),
        "last_error": None if last_error is None else str(last_error),
    }


def _refuse_remote(path: str | None) -> None:
    if path is not None and path.startswith(("redis://", "s3://")):
        store = path.partition(":")[0]
        raise NotImplementedError(f"Checkpoint backend '{store}' is not implemented: give a path of the file system")


def _base_path(context: ExecutionContext, path: str | None) -> str:
    if path is not None:
        return path.removesuffix(".pkl")
    name = f"session_{context.session_id}_step_{context.steps}_{int(time.time())}"
    return os.path.join("checkpoints", context.session_id, name)


def _write_json(path: str, data: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, indent=2, default=str)
