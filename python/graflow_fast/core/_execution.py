"""What ``with_execution`` says of a group or a map: where it runs and what counts as success. Knows neither of them."""

from __future__ import annotations

from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.coordination.backend import CoordinationBackend
    from graflow_fast.core.group_policy import GroupExecutionPolicy


def update_execution(
    config: dict[str, Any],
    who: str,
    backend: CoordinationBackend | None,
    backend_config: dict[str, Any] | None,
    policy: str | GroupExecutionPolicy,
) -> None:
    """Put the arguments of ``with_execution`` into ``config``; ``who`` is named in the error.

    Raises:
        ConfigError: the backend is REDIS.
    """
    from graflow_fast.core.group_policy import canonicalize_group_policy

    if backend is not None:
        if getattr(backend, "name", str(backend)).upper() == "REDIS":
            raise ConfigError(
                f"{who}: the REDIS backend is not part of graflow_fast; "
                "use CoordinationBackend.PROCESS (worker processes on this machine) instead"
            )
        config["backend"] = backend
    if backend_config:
        config["backend_config"].update(backend_config)
    config["policy"] = canonicalize_group_policy(policy)
