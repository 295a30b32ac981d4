"""Whether a map succeeded although items failed: the group policies, asked about items. Knows nothing of chunks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._messages import message_of
from graflow_fast.core.group_policy import resolve_group_policy
from graflow_fast.core.task import Task
from graflow_fast.exceptions import ParallelGroupError

if TYPE_CHECKING:
    from graflow_fast._run.maps.map_run import MapRun

_NAMED = 5


def judge(found: MapRun) -> Exception | None:
    """Return the error that a map ends with, None when its policy is content."""
    policy: Any = found.task._execution_config["policy"]
    failed = found.results.failed
    if not failed and policy in ("strict", "best_effort"):
        return None
    if policy == "strict" and found.task.on_error in ("keep", "skip"):
        return None
    first_final = failed[0][2] if failed else None
    error: Exception
    try:
        if policy == "strict":
            raise _strict(found)
        from graflow_fast.core.handler import TaskResult  # a dataclass: slow to import

        names = [f"{found.name}[{index}]" for index in range(found.results.total)]
        finals = {index: final for index, _, final in failed}
        now = time.time()
        started = found.attempt.started
        results = {
            name: TaskResult(
                task_id=name,
                success=index not in finals,
                error=_exception(finals.get(index)),
                error_message=message_of(finals[index]) if index in finals else None,
                duration=now - started,
                timestamp=now,
            )
            for index, name in enumerate(names)
        }
        members = [Task(name, register_to_context=False) for name in names]
        resolve_group_policy(policy).on_group_finished(found.name, members, results, found.attempt.branch.context)
        return None
    except Exception as raised:
        error = raised
    if error.__cause__ is None and first_final is not None:
        error.__cause__ = first_final
    return error


def _strict(found: MapRun) -> ParallelGroupError:
    failed, total = found.results.failed, found.results.total
    finals = [(f"{found.name}[{index}]", message_of(final)) for index, _, final in failed]
    shown = [
        f"{found.name}[{index}] ({type(error).__name__}: {message_of(error)})" for index, error, _ in failed[:_NAMED]
    ]
    more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    indices = {index for index, _, _ in failed}
    succeeded = [f"{found.name}[{index}]" for index in range(total) if index not in indices]
    message = f"Map {found.name} failed: {len(failed)} of {total} items failed: {', '.join(shown)}{more}"
    return ParallelGroupError(message, found.name, finals, succeeded)


def _exception(error: BaseException | None) -> Exception | None:
    return error if isinstance(error, Exception) else None
