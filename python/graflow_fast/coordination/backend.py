"""Names of the places where a group's members can run. Must not know how any of them works."""

from __future__ import annotations

from enum import Enum

__all__ = ["CoordinationBackend"]


class CoordinationBackend(Enum):
    """Where the members of one group run: ``group.with_execution(backend=...)``."""

    REDIS = "redis"
    """Not available here; the name exists so that asking for it gives a clear `ConfigError`."""
    THREADING = "threading"
    """In threads of the calling process."""
    DIRECT = "direct"
    """One after the other, in the calling thread."""
    PROCESS = "process"
    """In worker processes."""
