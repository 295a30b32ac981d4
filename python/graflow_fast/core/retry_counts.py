"""How often each task of one run has been retried, and may be.

Apart from the policy, which is a dataclass: these are slow to import, and most runs have none.
"""

from __future__ import annotations

from graflow_fast.exceptions import RetryLimitExceededError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from graflow_fast.core.retry import RetryPolicy


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
