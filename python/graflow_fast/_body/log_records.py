"""Log records that say which task they come from, as ``record.graflow_task``.

Owns the attribute and who sets it: a factory of records in front of the one that there is. Owns also how a record is
kept that is shown later. Must not import `logging`: who has no records has no need of it.
"""

from __future__ import annotations

from graflow_fast.core.running import running

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ATTRIBUTE", "install", "remove", "running_task", "said"]

#: What a record of a body has more than others.
ATTRIBUTE = "graflow_task"

#: The factory in use, and the one behind it; None: no runs are under way.
_installed: tuple[Any, Any] | None = None
_users = 0


def running_task() -> str | None:
    """Return the name of the task whose body this thread is in, None outside of bodies."""
    context = running.task_context
    return None if context is None else str(context.task_id)


def said(record: Any) -> Any:
    """Return what a record says, for what it names may change before it is shown: a text, or a dictionary as it was.

    Formatters of structlog, and others that write what was said by name, need their dictionaries.
    """
    return dict(record.msg) if type(record.msg) is dict and not record.args else record.getMessage()


def install(logging: Any) -> None:
    """Let records say where they come from, until `remove` was called as often."""
    global _installed, _users
    _users += 1
    if _installed is not None and _installed[0] is logging.getLogRecordFactory():
        return
    usual = logging.getLogRecordFactory()

    def record_of_task(*arguments: Any, **options: Any) -> Any:
        record = usual(*arguments, **options)
        name = running_task()
        if name is not None:
            setattr(record, ATTRIBUTE, name)
        return record

    _installed = record_of_task, usual
    logging.setLogRecordFactory(record_of_task)


def remove(logging: Any) -> None:
    """Take it away again, if the program has not put something in front of it meanwhile."""
    global _installed, _users
    _users -= 1
    if _users == 0 and _installed is not None:
        factory, usual = _installed
        _installed = None
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(usual)
