"""What policies mean: whether a group, or a map, with failed members has failed, and what it says then."""

from __future__ import annotations

from .program import Group, Map
from .state import Failure, Unsuitable


def judge(group: Group | Map, errors: dict[str, Failure], size: int) -> None:
    """Ask the policy whether a group, or a map, with these failed members failed."""
    if group.policy[0] == "at_least" and size < group.policy[1]:
        raise Unsuitable
    good, message, first = size - len(errors), "", next(iter(errors.values()), None)
    if group.policy == "strict" and errors:
        message = f"Parallel group {group.id} failed: {len(errors)} task(s) failed"
        message = f"Map {group.id} failed" if isinstance(group, Map) else message
    elif group.policy[0] == "at_least" and good < group.policy[1]:
        message = f"Only {good}/{group.policy[1]} tasks succeeded in group {group.id}"
    elif group.policy[0] == "critical":
        errors = {head: errors[head] for head in group.policy[1] if head in errors}
        message = f"Critical tasks failed: {list(errors)}" if errors else ""
    if message and first:
        failed = tuple((head, failure.error[1]) for head, failure in errors.items())
        raise Failure("ParallelGroupError", message, f"{first.error[0]}: {first.error[1]}", failed)
