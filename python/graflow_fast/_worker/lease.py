"""Several steps of the workflow's own branch in one go, so that a chain or a loop stays on its worker.

Each step sees what the ones before it left, by value, and has a record of its own. The lease ends with the first step
that asks for more than an iteration of itself, that raises, or that comes after about a millisecond.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing

if TYPE_CHECKING:
    from graflow_fast._worker.tasks import Tasks

#: Seconds after which a lease ends: what a crash may make others repeat.
LONGEST = 0.001

FAILED = 1


class Seen:
    """What the steps of a lease see of the channel: what they were told, and what the ones before them left.

    Attributes:
        values: key -> value as bytes, None for a key that is not there.
        changed: what they did to keys: key -> whether it is there.
        reborn: keys that were deleted and set anew, and so are the last ones.
    """

    __slots__ = ("changed", "reborn", "values")

    def __init__(self, values: dict[str, bytes | None]) -> None:
        self.values = values
        self.changed: dict[str, bool] = {}
        self.reborn: set[str] = set()

    def set(self, key: str, data: bytes | None) -> None:
        """Note that a step set a key."""
        self.values[key] = data
        if self.changed.get(key) is False:
            del self.changed[key]  # so that it is the last one
            self.reborn.add(key)
        self.changed[key] = True

    def apply(self, log: list[Any]) -> bool:
        """Do a step's writes on what the next ones see; False when that can't be told from here."""
        for operation, key, data, expires in log:
            if expires is not None or operation == "clear":
                return False
            if operation == "set":
                self.set(key, data)
            elif operation == "delete":
                self.values[key] = None
                self.changed[key] = False
            else:
                known = self.values.get(key)
                if known is None:
                    return False
                items = crossing.loads(known)
                items.insert(0 if operation == "prepend" else len(items), crossing.loads(data))
                self.values[key] = crossing.dumps(items)
        return True


def run(tasks: Tasks, ticket: int, view_key: int, first: Any) -> list[Any]:
    """Run a step and those that follow it; return (name, flags, result, parts, started, ended) of each that ran."""
    task_id, key, bound, extra = first
    following = iter(extra["lease"])
    group_count = extra.get("group_count", 0)
    seen = Seen(extra.setdefault("values", {}))
    marks = (seen.changed, seen.reborn)
    base = extra.get("base", task_id)
    cycle = extra.get("cycles", 1)
    previous = extra.get("previous")
    perform, now = tasks.perform, time.time
    began = started = now()
    done = []
    names: list[str] = []
    while True:
        flags, result, parts = perform(ticket, task_id, key, view_key, bound, extra)
        ended = now()
        done.append((task_id, flags, result, parts, started, ended))
        names.append(task_id)
        if flags & FAILED or ended - began > LONGEST:
            return done
        directives = None
        if parts is not None:
            log, directives = parts[0], parts[1]
            if directives is not None and (len(directives) != 1 or directives[0][0] != "iterate"):
                return done
            if log is not None and not seen.apply(log):
                return done
        seen.set(f"{task_id}.__result__", result)
        if task_id is not base:
            seen.set(f"{base}.__result__", result)
        if directives is None:
            step = next(following, None)
            if step is None:
                return done
            task_id, key, bound, cycle = step
            base, previous = task_id, result
            extra = {
                "values": seen.values,
                "group_count": group_count,
                "cycles": cycle,
                "previous": result,
                "changed": marks,
                "done": names,
                "step": len(done),
            }
        else:
            _, task_id, data = directives[0]
            cycle += 1
            extra = {
                "values": seen.values,
                "group_count": group_count,
                "cycles": cycle,
                "base": base,
                "changed": marks,
                "done": names,
                "step": len(done),
            }
            if previous is not None:
                extra["previous"] = previous
            if data is not None:
                extra["call"] = data
        started = ended
