"""What crosses between processes, and how: values by pickle, definitions once and then by key.

Used on both sides. Owns the pickling rules; knows nothing of pipes, runs or scopes.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle

from graflow_fast.core.definition import Definition

PROTOCOL = 5

_SCALARS = frozenset({int, str, float, bool, bytes, type(None)})

NONE_BYTES = pickle.dumps(None, protocol=PROTOCOL)


class Finders(threading.local):
    """How definitions get keys and keys definitions, for each thread: two runs in two threads have tables of their own.

    What is set on the class holds for all threads that have nothing of their own (a worker has one table).
    """

    #: Returns the key of a definition that may be named instead of pickled (None: pickle it).
    find_key: Callable[[Definition], int | None] = staticmethod(lambda definition: None)
    #: Returns the definition that a key names.
    find_definition: Callable[[int], Definition] | None = None


here = Finders()


def definition_of(key: int) -> Definition:
    """Return the definition that ``key`` names here; called when a pickle that names one is loaded."""
    find = here.find_definition
    if find is None:
        raise pickle.UnpicklingError(f"definition {key} was named in a process that knows none")
    return find(key)


class CrossingPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Cloudpickle, but a known definition crosses as its key."""

    def reducer_override(self, obj: Any) -> Any:
        """Name known definitions; leave the rest to cloudpickle."""
        if type(obj) is Definition:
            key = here.find_key(obj)
            if key is not None:
                return definition_of, (key,)
        return super().reducer_override(obj)


def dumps(value: Any) -> bytes:
    """Return a value as bytes: plain pickle when it is made of plain scalars, else cloudpickle's rules."""
    kind = type(value)
    if kind in _SCALARS:
        return pickle.dumps(value, protocol=PROTOCOL)
    if kind is dict and len(value) < 32:
        for item in value.values():
            if type(item) not in _SCALARS:
                break
        else:
            if all(type(key) is str for key in value):
                return pickle.dumps(value, protocol=PROTOCOL)
    elif (kind is tuple or kind is list) and len(value) < 32:
        for item in value:
            if type(item) not in _SCALARS:
                break
        else:
            return pickle.dumps(value, protocol=PROTOCOL)
    buffer = io.BytesIO()
    CrossingPickler(buffer, protocol=PROTOCOL).dump(value)
    return buffer.getvalue()


def loads(data: bytes) -> Any:
    """Return the value that `dumps` wrote."""
    return pickle.loads(data)
