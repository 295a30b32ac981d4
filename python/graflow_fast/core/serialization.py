"""Objects as bytes, functions and closures included: what handlers use. Owns no format: it is cloudpickle's."""

from __future__ import annotations

from typing import IO, Any

__all__ = ["dump", "dumps", "load", "loads"]


def dumps(obj: Any) -> bytes:
    """Return an object as bytes.

    Raises:
        TypeError: something in it can't be pickled.
    """
    from graflow_fast._wire import by_value

    return by_value.dumps(obj)


def loads(data: bytes) -> Any:
    """Return the object. Load only bytes you trust: unpickling runs code."""
    import pickle

    return pickle.loads(data)


def dump(obj: Any, file: IO[bytes]) -> None:
    """Write an object to a file that is open for bytes."""
    file.write(dumps(obj))


def load(file: IO[bytes]) -> Any:
    """Read an object from a file. Load only files you trust: unpickling runs code."""
    return loads(file.read())
