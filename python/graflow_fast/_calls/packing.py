"""What travels of a call: its function once for each worker, its arguments with it.

Owns the definitions of an executor's functions. A call is packed when it is submitted, in the caller's thread, so it
gets its arguments as they were then. Must not use the pool, which is another thread's: what is to be told to the
workers before a call goes through `Mailbox`, in order. Knows nothing of futures.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from graflow_fast._core import pack_chunk
from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._places.process.initializers import INITIALIZER, initializer_of
from graflow_fast._wire import crossing
from graflow_fast._wire.code import global_names
from graflow_fast._wire.importable import is_importable
from graflow_fast._wire.serialization import explain_unpicklable
from graflow_fast.core.definition import Definition
from graflow_fast.exceptions import TaskSerializationError

#: Functions whose definitions are kept when no call needs them any more.
_MOST_FUNCTIONS = 64


class Mailbox:
    """Stands for the pool's core where another thread may be using it: notes what the core is to be told.

    Attributes:
        posts: (name of the core's method, arguments), in order; who may use the core takes them from here.
        calls: how many calls have been packed and have not ended.
    """

    def __init__(self) -> None:
        self.posts: deque[tuple[str, tuple[Any, ...]]] = deque()
        self.calls = 0

    def define(self, key: int, blob: bytes) -> None:
        """As the core's."""
        self.posts.append(("define", (key, blob)))

    def share(self, key: int, blob: bytes) -> None:
        """As the core's."""
        self.posts.append(("share", (key, blob)))

    def forget(self, key: int) -> None:
        """As the core's."""
        self.posts.append(("forget", (key,)))

    def backlog(self) -> int:
        """Return how many calls may still name what they were packed with."""
        return self.calls


class Packed(NamedTuple):
    """Some calls of one function, ready to be sent.

    Attributes:
        name: what they are called in errors.
        payload: what a worker gets.
        keys: what it must have been told before.
        held: what must live until they have ended: the definition, and shared memory that the payload names.
    """

    name: str
    payload: bytes
    keys: tuple[int, ...]
    held: list[Any]


class Packing:
    """Packs the calls of one executor.

    Args:
        initializer: what each worker is to call before its first call, and with what; None for nothing.
    """

    def __init__(self, initializer: tuple[Callable[..., object], tuple[Any, ...]] | None) -> None:
        self.mailbox = Mailbox()
        #: Held while keys are found, and for whoever counts calls: what a call is packed with is told before it is.
        self.lock = threading.Lock()
        self._initializer = initializer
        #: The key of the initializer as bytes, once the workers were told of it.
        self._prepared: bytes | None = None
        self._initializer_definition: Definition | None = None
        self._table = DefinitionTable(self.mailbox)
        self._definitions: OrderedDict[int, Definition] = OrderedDict()
        #: Of functions that capture nothing, by address: their code, the names that are no globals so far, their keys.
        self._fixed: dict[int, tuple[CodeType, tuple[str, ...], tuple[int, ...]]] = {}

    def pack(
        self, function: Callable[..., Any], keywords: dict[str, Any] | None, calls: Sequence[tuple[Any, ...]]
    ) -> Packed:
        """Return some calls as what is sent of them; they count as under way from now on.

        Args:
            function: what is called.
            keywords: by name, the same for all of them; None for nothing.
            calls: the positional arguments of each.

        Raises:
            TaskSerializationError: the function or an argument can't be pickled.
        """
        name = name_of(function)
        with self.lock:
            prepared = self._prepared
            if prepared is None:
                prepared = self._prepared = self._prepare()
            keys, definition = self._keys_for(function, name)
            held: list[Any] = [definition]
            sent = None if definition is not None else function
            try:
                content = crossing.dumps((sent, keywords, calls))
            except Exception as error:
                raise _explained(name, sent, keywords, calls, error) from error
            if type(content) is not bytes:
                held.append(content)
            payload = pack_chunk(keys[0] if keys else 0, 0, name, prepared, content)
            self.mailbox.calls += 1
        return Packed(name, payload, keys, held)

    def ended(self, calls: int = 1) -> None:
        """Take in that some of the calls need no more of what they were packed with."""
        with self.lock:
            self.mailbox.calls -= calls
            if not self.mailbox.calls:
                self._table.forget_gone()

    def _prepare(self) -> bytes:
        """Tell the workers of the initializer; return what its calls say of it."""
        if self._initializer is None:
            return b""
        function, arguments = self._initializer
        called = functools.partial(function, *arguments) if arguments else function
        self._initializer_definition = initializer_of(called)
        return crossing.dumps(self._table.share_definition(self._initializer_definition, INITIALIZER))

    def _keys_for(self, function: Callable[..., Any], name: str) -> tuple[tuple[int, ...], Definition | None]:
        """Return the keys of a function and its definition; nothing for what is not a plain function."""
        if type(function) is not FunctionType:
            return (), None
        definition = self._definitions.get(id(function))
        if definition is None:
            definition = self._definitions[id(function)] = Definition.of(function, False, False)
            if len(self._definitions) > _MOST_FUNCTIONS:
                self._fixed.pop(self._definitions.popitem(last=False)[0], None)
        code, names, keys = self._fixed.get(id(function), (None, (), ()))
        if code is function.__code__ and not any(name in function.__globals__ for name in names):
            return keys, definition
        self._table.epoch += 1  # what it captures may have changed since the last call
        keys = self._table.keys_for(definition, name)
        if (unbound := _unbound_names(function)) is not None:
            self._fixed[id(function)] = function.__code__, unbound, keys
        return keys, definition


def _unbound_names(function: FunctionType) -> tuple[str, ...] | None:
    """Return the names of builtins that a function uses, if it captures nothing; else None."""
    if is_importable(function):
        return ()
    if function.__closure__ or function.__defaults__ or function.__kwdefaults__ or function.__dict__:
        return None
    names = tuple(global_names(function.__code__))
    return None if any(name in function.__globals__ for name in names) else names


def name_of(function: Any) -> str:
    """Return what calls of a function are called in errors."""
    found = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(found).rpartition("<locals>.")[2]


def _explained(
    name: str, function: Any, keywords: dict[str, Any] | None, calls: Sequence[tuple[Any, ...]], error: Exception
) -> TaskSerializationError:
    """Return the error that says which part of some calls can't be pickled."""
    parts = [("function", "", function)]
    parts += [
        (f"argument {number}", f"argument_{number}", value)
        for arguments in calls
        for number, value in enumerate(arguments, 1)
    ]
    parts += [(f"argument '{key}'", key, value) for key, value in (keywords or {}).items()]
    for what, variable, value in parts:
        try:
            crossing.dumps(value)
        except Exception as inner:
            return explain_unpicklable(name, what, value, inner, variable)
    return explain_unpicklable(name, "arguments", calls, error)
