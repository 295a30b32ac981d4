"""Complaints about bodies that changed what they captured: nobody outside of this process would see that change.

What has changed is `mutations`'; what is done about it is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._worker import mutations, output
from graflow_fast.exceptions import LostMutationError, LostMutationWarning

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker


def complain(worker: Worker, key: int, task_id: str) -> bool:
    """Warn if a body changed what it captured, and forget the change, so no other task sees it; return whether it did.

    Raises:
        LostMutationError: it did, and that is to be an error.
    """
    watch = worker.watches[key]
    names = None if watch is None else watch.changed()
    if not names:
        return False
    function = worker.definitions[key].func
    code = getattr(function, "__code__", None) or type(function).__call__.__code__
    worker.forget_changes()
    if mutations.MODE == "error":
        raise LostMutationError(task_id, names)
    output.keep_warning(LostMutationWarning(task_id, names), code.co_filename, code.co_firstlineno)
    return True
