"""Checkpoints: a context and its unfinished work, written to files and resumed from them.

Owns the files: what is in them, and that a reader finds one checkpoint or the other, never half of one. What the
unfinished work is comes from the run (`graflow_fast._run.resume`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from graflow_fast._messages import message_of
from graflow_fast._tracebacks import show_user_lines
from graflow_fast.core._files import make_folder, write_whole
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

    A checkpoint is three files: ``.pkl``, ``.state.json``, ``.meta.json``. They are written whole, the ``.pkl`` last,
    over those of an earlier checkpoint of that path: whenever the process is killed, one of the two can be resumed.
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
            GraflowRuntimeError: something in the context can't be pickled, the metadata can't be written as JSON, or
                the files can't be written; what is there is as it was.
        """
        return write_checkpoint(context, path, dict(metadata or {}), resuming_task_id)

    @classmethod
    def resume_from_checkpoint(cls, checkpoint_path: str) -> tuple[ExecutionContext, CheckpointMetadata]:
        """Read a checkpoint; ``WorkflowEngine().execute(context)`` goes on where it was written.

        Load only files you trust: unpickling runs code.

        Raises:
            NotImplementedError: the path names a store other than the file system.
            FileNotFoundError: one of the three files is missing.
            json.JSONDecodeError: one of the two JSON files is damaged; it is a `ValueError`.
        """
        _refuse_remote(checkpoint_path)
        base = checkpoint_path.removesuffix(".pkl")
        context = ExecutionContext.load(f"{base}.pkl")
        with open(f"{base}.state.json", encoding="utf-8") as file:
            json.load(file)  # all it says is in the other file, too: but half a copy of a checkpoint is none
        with open(f"{base}.meta.json", encoding="utf-8") as file:
            found = json.load(file)
        own = context.checkpoint_metadata
        if found.get("checkpoint_id") != own.get("checkpoint_id"):
            found = own  # the process was killed between the two, so the other file is of the checkpoint after this one
        metadata = CheckpointMetadata.from_dict(found)
        context.checkpoint_metadata = metadata.to_dict()
        context.last_checkpoint_path = f"{base}.pkl"
        context.stop_reason = None
        return context, metadata


def write_for_body(
    context: ExecutionContext, task_id: str, user_metadata: dict[str, Any], path: str | None
) -> tuple[str, CheckpointMetadata]:
    """Write a checkpoint that resumes at ``task_id``, whose body is running in this context and asks for it."""
    root = context
    while root.parent_context is not None:
        root = root.parent_context

    def write() -> tuple[str, CheckpointMetadata]:
        return write_checkpoint(root, path, user_metadata, task_id, asking=context)

    run = context._run
    if run is None:
        return write()
    written: tuple[str, CheckpointMetadata] = run.in_own_thread(write)
    return written


def write_checkpoint(
    context: ExecutionContext,
    path: str | None,
    user_metadata: dict[str, Any],
    resuming_task_id: str | None,
    asking: ExecutionContext | None = None,
) -> tuple[str, CheckpointMetadata]:
    """Do as `CheckpointManager.create_checkpoint`; ``asking``: the context in which that task is running."""
    from graflow_fast._run.resume import snapshot

    _refuse_remote(path)
    base = _base_path(context, path)
    waiting, resume_state = snapshot(context, resuming_task_id, asking)
    state = {
        **context.get_checkpoint_state(),
        "pending_tasks": [_waiting_task(context, name) for name in waiting],
        "resuming_task_id": resuming_task_id,
    }
    metadata = CheckpointMetadata.create(
        checkpoint_id=f"{context.session_id}_{context.steps}_{int(time.time())}_{os.urandom(4).hex()}",
        session_id=context.session_id,
        steps=context.steps,
        start_node=context.start_node,
        backend=state["backend"],
        user_metadata=_plain(base, user_metadata),
    )
    before = (context.checkpoint_metadata, context.last_checkpoint_path)
    context.checkpoint_metadata, context.last_checkpoint_path = metadata.to_dict(), f"{base}.pkl"
    try:
        content = _content(context, base, waiting, resume_state)
        _write(base, content, state, metadata)
    except BaseException:
        context.checkpoint_metadata, context.last_checkpoint_path = before
        raise
    logger.info("Checkpoint created at: %s", f"{base}.pkl")
    return f"{base}.pkl", metadata


def _content(context: ExecutionContext, base: str, waiting: list[str], resume_state: dict[str, Any] | None) -> bytes:
    """Return the context as bytes, with its unfinished work."""
    outer = (context.pending, context.resume_state)
    context.pending = type(context.pending)(waiting)
    context.resume_state = resume_state
    run = context._run
    try:
        # Bodies in other threads may do live operations meanwhile.
        with contextlib.nullcontext() if run is None else run.live.guard:
            return context.as_bytes()
    except Exception as error:
        show_user_lines(error)
        raise GraflowRuntimeError(
            f"The checkpoint '{base}.pkl' could not be written: something in the workflow or its channel "
            f"can't be pickled ({message_of(error)})",
            error,
        ) from error
    finally:
        context.pending, context.resume_state = outer


def _write(base: str, content: bytes, state: dict[str, Any], metadata: CheckpointMetadata) -> None:
    """Write the three files; the one that is read first by who resumes gets its name last."""
    described = {f"{base}.state.json": _json(state), f"{base}.meta.json": _json(metadata.to_dict())}
    try:
        make_folder(os.path.dirname(base) or ".")
        write_whole(described, {f"{base}.pkl": content})
    except OSError as error:
        raise GraflowRuntimeError(
            f"The checkpoint '{base}.pkl' could not be written ({message_of(error)}). If there was one of that path, "
            "it is as it was: make room, or give another path",
            error,
        ) from error


def _plain(base: str, user_metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata as they are read again: with nothing in them that JSON does not have."""
    try:
        plain: dict[str, Any] = json.loads(_json(user_metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise GraflowRuntimeError(
            f"The checkpoint '{base}.pkl' could not be written: its metadata are no JSON ({message_of(error)}). Use "
            "texts as keys, and nothing that contains itself",
            error,
        ) from error
    return plain


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=2, default=_text).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    """Return the text of what JSON does not have."""
    from graflow_fast.core._texts import text_of

    return text_of(value)


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
        "last_error": None if last_error is None else message_of(last_error),
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
