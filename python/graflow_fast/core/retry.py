"""Retries: how often, how long between.

Owns the policy that users write. Must not know queues, clocks or processes: whoever runs tasks asks here after which
delay a failed one may run again. The counters of a run are in `retry_counts`.
"""

from __future__ import annotations

from dataclasses import dataclass

from graflow_fast.core.retry_counts import RetryController

__all__ = ["RetryController", "RetryPolicy"]


@dataclass
class RetryPolicy:
    """How a failing task is tried again: the delays grow geometrically up to a cap.

    Example: ``RetryPolicy(max_retries=3, initial_interval=0.5)`` waits 0.5, 1 and 2 seconds.
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
