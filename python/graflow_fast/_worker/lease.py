"""Several steps of the workflow's own branch in one go, so that a chain or a loop stays on its worker.

Each step sees what the ones before it left, by value, and has a record of its own. The lease ends with the first step
that asks for more than an iteration of itself, that raises, or that comes after about a millisecond.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker

#: Seconds after which a lease ends: what a crash may make others repeat.
LONGEST = 0.001

FAILED = 1


def go_on(worker: Worker, ticket: int, view_key: int, first: Any, outcome: Any) -> list[Any]:
    """Run the steps that follow the first one; return (name, flags, result, parts, started, ended) of each that ran."""
    task_id, key, bound, extra = first
    following = iter(extra["lease"])
    values: dict[str, bytes | None] = extra.setdefault("values", {})
    changed: dict[str, bool] = {}
    reborn: set[str] = set()
    base = extra.get("base", task_id)
    cycle = extra.get("cycles", 1)
    began = started = time.time()
    done = []
    names: list[str] = []
    while True:
        flags, result, parts = outcome
        ended = time.time()
        done.append((task_id, flags, result, parts, started, ended))
        names.append(task_id)
        if flags & FAILED or ended - began > LONGEST:
            return done
        log, directives = (None, None) if parts is None else (parts[0], parts[1])
        if directives is not None and (len(directives) != 1 or directives[0][0] != "iterate"):
            return done
        if log is not None and not _apply(log, values, changed, reborn):
            return done
        for name in dict.fromkeys((task_id, base)):
            values[f"{name}.__result__"] = result
            changed.setdefault(f"{name}.__result__", True)
        if directives is not None:
            _, task_id, data = directives[0]
            cycle += 1
            step_extra = {**extra, "base": base, "cycles": cycle, "changed": (changed, reborn), "done": names}
            step_extra.pop("call", None)
            if data is not None:
                step_extra["call"] = data
        else:
            step = next(following, None)
            if step is None:
                return done
            task_id, key, bound, cycle = step
            base = task_id
            step_extra = {
                "values": values,
                "group_count": extra.get("group_count", 0),
                "cycles": cycle,
                "previous": result,
                "changed": (changed, reborn),
                "done": names,
            }
            extra = {**step_extra, "lease": ()}
        step_extra["step"] = len(done)
        started = ended
        outcome = worker.perform(ticket, task_id, key, view_key, bound, step_extra)


def _apply(log: list[Any], values: dict[str, bytes | None], changed: dict[str, bool], reborn: set[str]) -> bool:
    """Do a step's writes on what the next ones see; False when that can't be told from here."""
    for operation, key, data, expires in log:
        if expires is not None or operation == "clear":
            return False
        if operation == "set":
            values[key] = data
            if changed.get(key) is False:
                del changed[key]  # so that it is the last one
                reborn.add(key)
            changed[key] = True
        elif operation == "delete":
            values[key] = None
            changed[key] = False
        else:
            known = values.get(key)
            if known is None:
                return False
            items = crossing.loads(known)
            items.insert(0 if operation == "prepend" else len(items), crossing.loads(data))
            values[key] = crossing.dumps(items)
    return True
