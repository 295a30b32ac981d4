"""Values that each worker makes once: models, connections, clients. What bodies share where they run together.

Owns the values of this process, one for each of its threads. Knows nothing of workers: a value is made where it is
first asked for.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")
#: No two processes give the same ones.
_numbers = count((os.getpid() << 40) + 1)


class _Values(threading.local):
    def __init__(self) -> None:
        #: By the number of a `WorkerLocal`.
        self.made: dict[int, Any] = {}


_values = _Values()


class WorkerLocal(Generic[_Value]):
    """A function that is called once in each worker, and gives the same value there from then on.

    In a worker process that is once for the process, in threads once for each thread, inline once for the program; a
    thread that a body starts has a value of its own. The value never crosses to another process. It lives as long as
    its worker, which may serve several runs.
    """

    def __init__(self, function: Callable[[], _Value], number: int | None = None) -> None:
        self._function = function
        self._number = next(_numbers) if number is None else number
        functools.update_wrapper(self, function)

    def __call__(self) -> _Value:
        """Return the value, made now if it is not there yet.

        Raises:
            BaseException: whatever the function raises; the next call tries again.
        """
        made = _values.made
        if self._number not in made:
            made[self._number] = self._function()
        value: _Value = made[self._number]
        return value

    def clear(self) -> None:
        """Forget the value in this thread; the next call makes it anew."""
        _values.made.pop(self._number, None)

    def __reduce__(self) -> Any:
        module, name = getattr(self, "__module__", None), getattr(self, "__qualname__", "")
        if module not in (None, "__main__", "__mp_main__") and getattr(sys.modules.get(module), name, None) is self:
            return name
        return WorkerLocal, (self._function, self._number)

    def __repr__(self) -> str:
        return f"worker_local({getattr(self, '__qualname__', self._function)})"


def worker_local(function: Callable[[], _Value]) -> WorkerLocal[_Value]:
    """Make a function give a value that is made once in each worker; call it to get the value.

    Args:
        function: takes no arguments.

    Raises:
        TypeError: it takes arguments, so there is no one value.
    """
    code = getattr(function, "__code__", None)
    if code is not None and code.co_argcount > len(getattr(function, "__defaults__", None) or ()):
        raise TypeError(
            f"@worker_local makes one value in each worker, so {function.__name__}() can't take arguments. "
            "For a value by argument use functools.lru_cache, whose cache each worker has by itself, too"
        )
    return WorkerLocal(function)


__all__ = ["WorkerLocal", "worker_local"]
