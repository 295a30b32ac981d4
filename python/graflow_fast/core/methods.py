"""Tasks that are methods: the task of one object, whose body is called with the object as its first argument.

Owns which objects have such tasks. They live as long as somebody has them, and an object has one for each method.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from graflow_fast.core import registry

if TYPE_CHECKING:
    from graflow_fast.core.task import TaskWrapper

#: By the addresses of an object and of the definition of its method's task.
_made: WeakValueDictionary[tuple[int, int], TaskWrapper] = WeakValueDictionary()


def task_of_object(template: TaskWrapper, instance: object) -> TaskWrapper:
    """Return the task of an object: that of its class, with the object as the first argument of the body."""
    definition = template._definition
    address = id(instance), id(definition)
    found = _made.get(address)
    if found is not None and found.func.__self__ is instance:  # type: ignore[attr-defined]
        return found
    method: Any = MethodType(definition.func, instance)
    task = _made[address] = type(template).__new__(type(template))
    task._task_id = template._task_id
    task._owner = None
    task._definition = definition.changed({"func": method})
    task._names = task._values = ()
    registry.note_use(template)
    return task
