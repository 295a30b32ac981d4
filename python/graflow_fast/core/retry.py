"""Retries: how often, how long between.

Owns the policy that users write and the counters of one run. Must not know queues, clocks or processes: whoever runs
tasks asks here whether a failed one may run again and after which delay.
"""

from __future__ import annotations

from dataclasses import dataclass

from graflow_fast.exceptions import RetryLimitExceededError

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


class RetryController:
    """Counts the retries of each task of a run and knows how many it may have.

    Args:
        default_max_retries: Retries of a task for which nothing else is set.
    """

    def __init__(self, default_max_retries: int = 0) -> None:
        self.default_max_retries = default_max_retries
        self.retry_counts: dict[str, int] = {}
        self.node_max_retries: dict[str, int] = {}
        self.node_policies: dict[str, RetryPolicy] = {}
        self.last_errors: dict[str, Exception] = {}

    def set_node_max_retries(self, node_id: str, max_retries: int) -> None:
        """Let one task be retried `max_retries` times, without delay unless it has a policy."""
        self.node_max_retries[node_id] = max_retries

    def set_node_policy(self, node_id: str, policy: RetryPolicy) -> None:
        """Give one task a policy; the policy's `max_retries` becomes its limit."""
        self.node_policies[node_id] = policy
        self.set_node_max_retries(node_id, policy.max_retries)

    def get_policy_for_node(self, node_id: str) -> RetryPolicy | None:
        """The task's own policy, or None if it has none."""
        return self.node_policies.get(node_id)

    def get_max_retries_for_node(self, node_id: str) -> int:
        """How often the task may be retried."""
        return self.node_max_retries.get(node_id, self.default_max_retries)

    def get_retry_count(self, node_id: str) -> int:
        """How often the task has been retried so far."""
        return self.retry_counts.get(node_id, 0)

    def get_last_error(self, node_id: str) -> Exception | None:
        """What the task's last counted failure raised, or None."""
        return self.last_errors.get(node_id)

    def accept_retry(self, node_id: str) -> bool:
        """Whether the task has a retry left."""
        return self.get_retry_count(node_id) < self.get_max_retries_for_node(node_id)

    def increment(self, node_id: str, error: Exception | None = None) -> int:
        """Count one retry of the task and remember why; returns the new count."""
        count = self.get_retry_count(node_id) + 1
        self.retry_counts[node_id] = count
        if error is not None:
            self.last_errors[node_id] = error
        return count

    def check_retry_limit(self, node_id: str) -> None:
        """Do nothing while the task has a retry left.

        Raises:
            RetryLimitExceededError: It has none.
        """
        if not self.accept_retry(node_id):
            raise RetryLimitExceededError(
                node_id,
                self.get_retry_count(node_id),
                self.get_max_retries_for_node(node_id),
                self.get_last_error(node_id),
            )

    def get_delay(self, node_id: str) -> float:
        """Seconds to wait before the retry that was counted last; 0.0 for a task without a policy."""
        policy = self.node_policies.get(node_id)
        if policy is None:
            return 0.0
        return policy.get_delay(max(0, self.get_retry_count(node_id) - 1))
