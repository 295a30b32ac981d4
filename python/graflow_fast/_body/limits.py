"""What a task's definition says of loops and retries, told to the counters of a context, which go by name.

Another task may have run under a name before, so who set the limits is noted. Knows neither graphs nor places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable


def has_limits(definition: Any) -> bool:
    """Say whether a definition says something of loops or retries."""
    return not (definition.max_cycles is None and definition.retry_policy is None and definition.max_retries is None)


def apply_limits(context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> None:
    """Tell a context's counters what a definition says of loops and retries, and no longer what another one said."""
    limited = context.limited_by
    before = limited.get(base_id) if limited else None
    if before is not None and before is not definition:
        _forget_limits(context, task_id, base_id)
    if not has_limits(definition):
        return
    limited[base_id] = definition
    if definition.max_cycles is not None:
        context.cycle_controller.set_node_max_cycles(base_id, definition.max_cycles)
    if definition.retry_policy is not None:
        context.retry_controller.set_node_policy(task_id, definition.retry_policy)
    elif definition.max_retries is not None:
        context.retry_controller.set_node_max_retries(task_id, definition.max_retries)


def shares_limited_name(own: Executable | None, task: Executable) -> bool:
    """Say whether a task's name stands for another one, ``own``, and one of the two has limits."""
    return own is not task and any(
        definition is not None and has_limits(definition)
        for definition in (getattr(task, "_definition", None), getattr(own, "_definition", None))
    )


def leave_limits(context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> None:
    """Forget the limits of a task that ran in the place of the name's own, which has others or none."""
    if context.limited_by.get(base_id) is definition:
        _forget_limits(context, task_id, base_id)


def note_limits(context: ExecutionContext, own: Executable, base_id: str) -> None:
    """See to it that limits of the name's own task are known to be its: steps in the pool set them without a word."""
    definition = getattr(own, "_definition", None)
    if definition is not None and has_limits(definition):
        context.limited_by.setdefault(base_id, definition)


def limits_set_by_hand(context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> dict[str, int]:
    """Return the limits of a task that its context's controllers were told of, not its definition."""
    limits: dict[str, int] = {}
    cycles, retries = context.cycle_controller, context.retry_controller
    if definition.max_cycles is None and base_id in cycles.node_max_cycles:
        limits["max_cycles"] = cycles.node_max_cycles[base_id]
    if definition.max_retries is None:
        for name in (task_id, base_id):
            if name in retries.node_max_retries or retries.get_policy_for_node(name):
                limits["max_retries"] = retries.get_max_retries_for_node(name)
                break
    return limits


def _forget_limits(context: ExecutionContext, task_id: str, base_id: str) -> None:
    del context.limited_by[base_id]
    context.cycle_controller.node_max_cycles.pop(base_id, None)
    for table in (context.retry_controller.node_policies, context.retry_controller.node_max_retries):
        table.pop(base_id, None)
        table.pop(task_id, None)
