"""Retries: how often, how long between.

Owns the policy that users write. Must not know queues, clocks or processes: whoever runs tasks asks here after which
delay a failed one may run again. The counters of a run are in `retry_counts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graflow_fast.core.retry_counts import RetryController
from graflow_fast.exceptions import ConfigError, RemoteTaskError

__all__ = ["RetryController", "RetryPolicy"]

#: Which exceptions: a class of them, several classes, or a function that says so of one.
Errors: TypeAlias = "type[BaseException] | tuple[type[BaseException], ...] | Callable[[Exception], Any]"


@dataclass
class RetryPolicy:
    """How a failing task is tried again, and after which exceptions: the delays grow geometrically up to a cap.

    Example: ``RetryPolicy(max_retries=3, initial_interval=0.5, retry_on=ConnectionError)`` waits 0.5, 1 and 2 seconds.

    Raises:
        ConfigError: ``retry_on`` or ``give_up_on`` is no exception class, tuple of them or function.
    """

    max_retries: int = 0
    """Tries after the first one; 0 means none."""
    initial_interval: float = 1.0
    """Seconds before the first retry."""
    backoff_factor: float = 2.0
    """What each further delay is multiplied by."""
    max_interval: float = 60.0
    """No delay is longer than this many seconds."""
    jitter: bool = False
    """Vary each delay by up to half, up or down, so that many tasks don't retry at the same moment."""
    retry_on: Errors | None = field(default=None, repr=False)
    """Which exceptions are followed by another try: a class, a tuple of classes, or a function that is given the
    exception and says whether. None: all."""
    give_up_on: Errors | None = field(default=None, repr=False)
    """Which are not, even if ``retry_on`` names them; likewise. None: none."""

    def __post_init__(self) -> None:
        for name in ("retry_on", "give_up_on"):
            if not _are_errors(getattr(self, name)):
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} must be an exception class, a tuple of them, or a function of the "
                    "exception"
                )

    def repeats(self, error: Exception) -> bool:
        """Say whether an exception is one that another try may follow.

        An exception that could not be brought back from a worker (`RemoteTaskError`) counts as one of its own class, by
        the names of that class and its bases; a function is given the stand-in.
        """
        if self.give_up_on is not None and _is_one_of(error, self.give_up_on):
            return False
        return self.retry_on is None or _is_one_of(error, self.retry_on)

    def get_delay(self, retry_count: int) -> float:
        """Seconds to wait before a retry.

        Args:
            retry_count: Which retry, counted from 0.
        """
        try:
            delay = self.initial_interval * self.backoff_factor**retry_count
        except OverflowError:
            delay = self.max_interval
        delay = min(delay, self.max_interval)
        if self.jitter:
            import random

            delay = min(delay * random.uniform(0.5, 1.5), self.max_interval)
        return delay


def _are_errors(errors: Any) -> bool:
    if isinstance(errors, tuple):
        return all(isinstance(each, type) and issubclass(each, BaseException) for each in errors)
    if isinstance(errors, type):
        return issubclass(errors, BaseException)
    return errors is None or callable(errors)


def _is_one_of(error: Exception, errors: Errors) -> bool:
    if not isinstance(errors, (type, tuple)):
        return bool(errors(error))
    if isinstance(error, errors):
        return True
    if not isinstance(error, RemoteTaskError):
        return False
    classes = errors if isinstance(errors, tuple) else (errors,)
    return any(f"{each.__module__}.{each.__qualname__}" in error.type_names for each in classes)
