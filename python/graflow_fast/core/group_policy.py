"""When a parallel group counts as successful.

Owns the built-in policies and how a policy is written down as plain data. A policy sees how each member ended and
raises if that is not good enough. Must not know how or where the members ran.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graflow_fast._hints import with_hint
from graflow_fast.exceptions import ParallelGroupError

if TYPE_CHECKING:
    import logging

    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handler import TaskResult
    from graflow_fast.core.task import Executable

__all__ = [
    "POLICY_REGISTRY",
    "AtLeastNGroupPolicy",
    "BestEffortGroupPolicy",
    "CriticalGroupPolicy",
    "GroupExecutionPolicy",
    "StrictGroupPolicy",
    "canonicalize_group_policy",
    "resolve_group_policy",
]

_CUSTOM = "__custom__"


def _logger() -> logging.Logger:
    import logging  # slow to import

    return logging.getLogger(__name__)


class GroupExecutionPolicy(ABC):
    """Judges a parallel group once all its members have ended. Subclass it for rules of your own."""

    def get_name(self) -> str:
        """Name for messages: the class's name unless overridden."""
        return type(self).__name__

    @abstractmethod
    def on_group_finished(
        self,
        group_id: str,
        tasks: Sequence[Executable],
        results: dict[str, TaskResult],
        context: ExecutionContext,
    ) -> None:
        """Return if the group succeeded.

        Args:
            group_id: The group.
            tasks: Its members, in the order of their declaration.
            results: How each of them ended, by task id.
            context: The run they belong to.

        Raises:
            ParallelGroupError: Too little succeeded.
        """

    def _validate_group_results(
        self, group_id: str, tasks: Sequence[Executable], results: dict[str, TaskResult]
    ) -> None:
        """Raise `ParallelGroupError` unless there is exactly one result for each member."""
        expected = {task.task_id for task in tasks}
        problems = []
        if missing := expected - results.keys():
            problems.append(f"missing results for tasks: {sorted(missing)}")
        if unexpected := results.keys() - expected:
            problems.append(f"unexpected results for tasks: {sorted(unexpected)}")
        if problems:
            message = f"Parallel group {group_id} result mismatch: {', '.join(problems)}"
            raise ParallelGroupError(message, group_id, failed_tasks=[], successful_tasks=list(results))

    def _partition_group_results(self, results: dict[str, TaskResult]) -> tuple[list[str], list[tuple[str, str]]]:
        """Ids of the members that succeeded, and (id, message) of those that failed."""
        succeeded = [task_id for task_id, result in results.items() if result.success]
        failed = [
            (task_id, result.error_message or "Unknown error")
            for task_id, result in results.items()
            if not result.success
        ]
        return succeeded, failed


class _CountingPolicy(GroupExecutionPolicy):
    """A policy that looks at nothing but which members succeeded."""

    def on_group_finished(
        self,
        group_id: str,
        tasks: Sequence[Executable],
        results: dict[str, TaskResult],
        context: ExecutionContext,
    ) -> None:
        """Raise if too little succeeded."""
        self._validate_group_results(group_id, tasks, results)
        self._judge(group_id, *self._partition_group_results(results))

    @abstractmethod
    def _judge(self, group_id: str, succeeded: list[str], failed: list[tuple[str, str]]) -> None:
        """Raise, given the ids that succeeded and the (id, message) of the others."""


class StrictGroupPolicy(_CountingPolicy):
    """Every member must succeed. The default."""

    def get_name(self) -> str:
        """``"strict"``."""
        return "strict"

    def _judge(self, group_id: str, succeeded: list[str], failed: list[tuple[str, str]]) -> None:
        """Raise if any member failed."""
        if failed:
            message = f"Parallel group {group_id} failed: {len(failed)} task(s) failed"
            raise ParallelGroupError(message, group_id, failed, succeeded)


class BestEffortGroupPolicy(_CountingPolicy):
    """Failures are logged, and the workflow goes on."""

    def get_name(self) -> str:
        """``"best_effort"``."""
        return "best_effort"

    def _judge(self, group_id: str, succeeded: list[str], failed: list[tuple[str, str]]) -> None:
        """Log a warning if any member failed."""
        if failed:
            _logger().warning(
                "Parallel group %s completed with %d failure(s); continuing (best-effort). Failed tasks: %s",
                group_id,
                len(failed),
                [task_id for task_id, _ in failed],
            )


class CriticalGroupPolicy(_CountingPolicy):
    """The named members must succeed; failures of the others are logged.

    Args:
        critical_task_ids: Ids of the members that matter; at least one.

    Raises:
        ValueError: No id is given.
    """

    def __init__(self, critical_task_ids: Iterable[str]) -> None:
        self._critical_task_ids = frozenset(critical_task_ids)
        if not self._critical_task_ids:
            raise ValueError("critical_task_ids must contain at least one task id")

    def get_name(self) -> str:
        """``"critical"``."""
        return "critical"

    @property
    def critical_task_ids(self) -> list[str]:
        """Ids of the members that must succeed, sorted."""
        return sorted(self._critical_task_ids)

    def _judge(self, group_id: str, succeeded: list[str], failed: list[tuple[str, str]]) -> None:
        """Raise if a critical member failed (`ParallelGroupError`) or isn't a member at all (`ValueError`)."""
        if strangers := self._critical_task_ids.difference(succeeded, (task_id for task_id, _ in failed)):
            raise ValueError(f"Critical task ids {sorted(strangers)} are not part of parallel group {group_id}")
        critical = [(task_id, message) for task_id, message in failed if task_id in self._critical_task_ids]
        if critical:
            message = f"Critical tasks failed: {[task_id for task_id, _ in critical]}"
            raise ParallelGroupError(message, group_id, critical, succeeded)
        if failed:
            _logger().warning(
                "Parallel group %s completed with optional failures; continuing. Optional tasks: %s",
                group_id,
                [task_id for task_id, _ in failed],
            )


class AtLeastNGroupPolicy(_CountingPolicy):
    """A minimum number of members must succeed, whichever they are.

    Args:
        min_success: How many; not negative.

    Raises:
        ValueError: `min_success` is negative.
    """

    def __init__(self, min_success: int) -> None:
        if min_success < 0:
            raise ValueError("min_success must be non-negative")
        self.min_success = min_success

    def get_name(self) -> str:
        """``"at_least_<n>"``."""
        return f"at_least_{self.min_success}"

    def _judge(self, group_id: str, succeeded: list[str], failed: list[tuple[str, str]]) -> None:
        """Raise if too few succeeded (`ParallelGroupError`) or the group is too small for that (`ValueError`)."""
        count = len(succeeded) + len(failed)
        if self.min_success > count:
            raise ValueError(f"min_success ({self.min_success}) cannot exceed number of tasks ({count})")
        if len(succeeded) < self.min_success:
            message = f"Only {len(succeeded)}/{self.min_success} tasks succeeded in group {group_id}"
            raise ParallelGroupError(message, group_id, failed, succeeded)
        if failed:
            _logger().info(
                "Parallel group %s met at-least-%d policy despite %d failure(s).",
                group_id,
                self.min_success,
                len(failed),
            )


POLICY_REGISTRY: dict[str, type[GroupExecutionPolicy]] = {
    "strict": StrictGroupPolicy,
    "best_effort": BestEffortGroupPolicy,
    "critical": CriticalGroupPolicy,
    "at_least_n": AtLeastNGroupPolicy,
}
"""Built-in policies by the name that ``with_execution(policy=...)`` takes."""


def canonicalize_group_policy(policy: str | GroupExecutionPolicy) -> str | dict[str, Any]:
    """Write a policy down as plain data that `resolve_group_policy` understands.

    Built-in policies become a name or a small dictionary. A custom one, also one that extends a built-in one, stays
    an object, inside a dictionary that marks it as such.

    Raises:
        TypeError: It is neither a name nor a policy.
    """
    if isinstance(policy, str):
        return policy
    if type(policy) is StrictGroupPolicy or type(policy) is BestEffortGroupPolicy:
        return policy.get_name()
    if type(policy) is CriticalGroupPolicy:
        return {"type": "critical", "critical_task_ids": policy.critical_task_ids}
    if type(policy) is AtLeastNGroupPolicy:
        return {"type": "at_least_n", "min_success": policy.min_success}
    if isinstance(policy, GroupExecutionPolicy):
        return {"type": _CUSTOM, "policy": policy}
    raise TypeError(f"Unsupported policy specification type: {type(policy)!r}")


def resolve_group_policy(policy: str | Mapping[str, Any] | GroupExecutionPolicy) -> GroupExecutionPolicy:
    """Make a policy from its name, from what `canonicalize_group_policy` gave, or return it if it is one.

    Raises:
        ValueError: An unknown name, or a dictionary without the fields its type needs.
        TypeError: Something else altogether, or a name whose policy needs arguments.
    """
    if isinstance(policy, GroupExecutionPolicy):
        return policy
    if isinstance(policy, str):
        return _from_name(policy)
    if isinstance(policy, Mapping):
        return _from_mapping(policy)
    raise TypeError(f"Unsupported policy specification type: {type(policy)!r}")


def _from_name(given: str) -> GroupExecutionPolicy:
    name = given.lower()
    if name not in POLICY_REGISTRY:
        error = ValueError(f"Unknown group execution policy '{given}'. Available policies: {sorted(POLICY_REGISTRY)}")
        raise with_hint(error, given, POLICY_REGISTRY)
    try:
        return POLICY_REGISTRY[name]()
    except TypeError as error:
        kind = POLICY_REGISTRY[name].__name__
        raise TypeError(f"Policy '{name}' needs arguments: pass {kind}(...) instead of its name ({error})") from error


def _from_mapping(spec: Mapping[str, Any]) -> GroupExecutionPolicy:
    kind = spec.get("type")
    if not isinstance(kind, str):
        raise ValueError("Serialized policy must include a string 'type' field")
    name = kind.lower()
    if name == "critical":
        ids = spec.get("critical_task_ids")
        if not isinstance(ids, list):
            raise ValueError("'critical_task_ids' must be provided as a list")
        return CriticalGroupPolicy(ids)
    if name == "at_least_n":
        min_success = spec.get("min_success")
        if not isinstance(min_success, int):
            raise ValueError("'min_success' must be provided as an integer")
        return AtLeastNGroupPolicy(min_success)
    if name in ("strict", "best_effort"):
        return _from_name(name)
    if name == _CUSTOM:
        custom = spec.get("policy")
        if not isinstance(custom, GroupExecutionPolicy):
            raise ValueError("Serialized custom policy must include a GroupExecutionPolicy instance")
        return custom
    raise ValueError(f"Unknown serialized group execution policy '{name}'.")
