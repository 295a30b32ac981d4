"""Noticing that a body changed a variable it captured: nobody outside this process would see that change.

Owns which variables of a function are watched (decided once for each definition), what is a change and what a cache,
and the random numbers that each task gets of a captured generator. What a task may keep to itself (modules, loggers,
caches of functions) is not watched. What stands for a content is `fingerprints`'.
"""

from __future__ import annotations

import os
import sys
import time

from graflow_fast._wire.code import names_used
from graflow_fast._wire.imports import import_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from graflow_fast._worker.operations import Operations
    from graflow_fast._worker.random_streams import Streams

#: What to do about it: warn, error or ignore.
MODE = os.environ.get("GRAFLOW_FAST_LOST_MUTATION", "warn").lower()

#: Functions that are looked into, those of captured classes included.
_MOST_FUNCTIONS = 100
#: A large container is looked at again after so many times the time that takes.
_PATIENCE = 20

_FUNCTION: Any = type(lambda: None)
_METHOD: Any = type(type("", (), {"method": lambda self: None})().method)
_MODULE: Any = type(sys)
_BUILTIN: Any = type(len)
_ABSENT: Any = object()


#: Variables that an initializer has set here: (the name of the module, name).
own: set[tuple[Any, str]] = set()


class _Variable:
    """A variable that is watched.

    Attributes:
        name: as messages say it.
        get: returns its value, or what is given as the second argument: ``get(key, absent)``.
        is_lazy: whether a function makes its value when it finds none.
    """

    __slots__ = ("_before", "_is_object", "_next_look", "_size", "_value", "get", "is_lazy", "key", "lazy", "name")

    def __init__(self, name: str, get: Callable[[Any, Any], Any], key: Any, is_lazy: bool, lazy: set[str]) -> None:
        self.name = name
        self.get = get
        self.key = key
        self.is_lazy = is_lazy
        #: The attributes that functions make when they find none.
        self.lazy = lazy
        #: When a large value is looked at again; 0 for others. And how large it was.
        self._next_look = 0.0
        self._size = 0
        #: What stands for the content, None when that can't change.
        self._before: Any = None
        self._note(get(key, _ABSENT))

    def changed(self) -> bool:
        """Say whether the variable or its content is another one than at the last call."""
        value = self.get(self.key, _ABSENT)
        if value is not self._value:
            was, is_first = self._value, self.is_lazy and (self._value is None or self._value is _ABSENT)
            self._note(value)
            # Numbers and texts that are equal are the same, whoever made them.
            return not is_first and not (type(was) is type(value) and type(value) in _SCALARS and was == value)
        before = self._before
        if before is None:
            return False
        if self._next_look:
            return self._has_changed_large(value)
        now = _fingerprints().content(value)
        if now == before:
            return False
        if self._is_object and self._is_only_made(before, now):
            self._before = now
            return False
        self._note(value)
        return True

    def _note(self, value: Any) -> None:
        fingerprints = _fingerprints()
        self._value = value
        self._next_look = 0.0
        self._is_object = False
        if value is _ABSENT or not fingerprints.is_mutable(value):
            self._before = None
            return
        self._is_object = fingerprints.is_plain_object(value)
        before = None if fingerprints.is_large(value) else fingerprints.content(value)
        if before is None or (type(before) is bytes and len(before) > fingerprints.MOST_BYTES):
            self._next_look = -1.0
            self._size = _size_of(value)
            before = fingerprints.large_content(value)
        self._before = before

    def _has_changed_large(self, value: Any) -> bool:
        """Look at a large container if that costs little beside what was done since the last time."""
        started = time.perf_counter()
        if started < self._next_look and _size_of(value) == self._size:
            return False
        self._size = _size_of(value)
        now = _fingerprints().large_content(value)
        changed = bool(now != self._before)
        self._before = now
        ended = time.perf_counter()
        self._next_look = ended + _PATIENCE * (ended - started)
        return changed

    def _is_only_made(self, before: Any, now: Any) -> bool:
        """Say whether an object has no more than got attributes that its class makes when it finds none."""
        kind = type(self._value)
        changed = _fingerprints().changed_attributes(before, now)
        return all(
            was_nothing and (name in self.lazy or type(getattr(kind, name, None)).__name__ == "cached_property")
            for name, was_nothing in changed.items()
        )


def _size_of(value: Any) -> int:
    return len(value) if hasattr(type(value), "__len__") else 0


class Watch:
    """What one body captured and could change, and how it was after the last look."""

    __slots__ = ("_streams", "_variables")

    def __init__(self, variables: list[_Variable], streams: Streams | None) -> None:
        self._variables = variables
        self._streams = streams

    @property
    def has_streams(self) -> bool:
        """Whether `begin` must be called before each task."""
        return self._streams is not None

    def begin(self, seed: Any, task_id: str) -> None:
        """Give a task random numbers of its own from the generators that its body captured."""
        if self._streams is not None:
            self._streams.begin(seed, task_id)

    def changed(self) -> list[str]:
        """Return the names of the variables that have changed since the last call."""
        return [variable.name for variable in self._variables if variable.changed()]


def watch(function: Any) -> Watch | None:
    """Return the watch of a body, None when it captures nothing that it could change."""
    if MODE == "ignore" or not _may_change(function):
        return None
    capture = _Capture(import_late("graflow_fast._worker.operations").Operations())
    capture.look_into(function)
    if not capture.variables and not capture.generators:
        return None
    streams = None
    if capture.generators:
        streams = import_late("graflow_fast._worker.random_streams").Streams(capture.generators)
    lazy = capture.operations.lazy
    variables = [_Variable(name, get, key, key in lazy, lazy) for (name, get, key) in capture.variables.values()]
    return Watch(variables, streams)


class _Capture:
    """Finds what a function, and those that it calls, could change."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        #: (shown name, what gets it, its key) by what identifies it
        self.variables: dict[Any, tuple[str, Any, Any]] = {}
        self.generators: list[Any] = []
        self._functions: list[Any] = []
        self._classes: dict[int, Any] = {}
        self._seen: set[int] = set()

    def look_into(self, body: Any) -> None:
        """Find the variables of a body."""
        self._reach(body, "self")
        if not isinstance(body, (_FUNCTION, _METHOD)) and self._is_watched(body):
            name = "arguments" if type(body).__module__ == "functools" else "self"
            self.variables[name, id(body)] = (name, {name: body}.get, name)
        while self._functions and len(self._seen) < _MOST_FUNCTIONS:
            function = self._functions.pop()
            if id(function) not in self._seen:
                self._seen.add(id(function))
                self.operations.add(function.__code__)
                for name, value, get, key in _captured(function):
                    self._look_at(function, name, value, get, key)
        stored_in = self.operations.stored_in
        for kind in self._classes.values():
            self._watch_attributes(kind, vars(kind), stored_in)

    def _look_at(self, function: Any, name: str, value: Any, get: Any, key: Any) -> None:
        rebound = name in self.operations.rebound
        if rebound or self._is_watched(value):
            self.variables[name, id(getattr(get, "__self__", get))] = (name, get, key)
        if isinstance(value, _FUNCTION):
            if _fingerprints().is_own(value.__module__):
                self._watch_attributes(value, vars(value), self.operations.stored_in)
            is_global = getattr(get, "__self__", None) is function.__globals__
            if value.__module__ == function.__module__ or not is_global:
                self._functions.append(value)
        elif isinstance(value, _MODULE):
            if _fingerprints().is_own(value.__name__):
                self._watch_attributes(value, vars(value), self.operations.stored_in, only_stored=True)
        else:
            self._reach(value, name)

    def _is_watched(self, value: Any) -> bool:
        return bool(_fingerprints().is_mutable(value))

    def _reach(self, value: Any, name: str) -> None:
        """Look into what a value may call: methods, what is wrapped, the functions of its class."""
        kind = type(value)
        if kind.__name__ in ("Random", "Generator", "RandomState") and _is_generator(value):
            if not any(each is value for each in self.generators):
                self.generators.append(value)
        elif isinstance(value, _FUNCTION):
            self._functions.append(value)
        elif kind is _METHOD:
            owner = value.__self__
            if self._is_watched(owner) and not any(shown == name for shown, _, _ in self.variables.values()):
                self.variables[name, id(owner)] = (name, {name: owner}.get, name)
            self._functions.append(value.__func__)
            self._reach_class(owner if isinstance(owner, type) else type(owner))
        elif isinstance(value, type):
            self._reach_class(value)
        elif kind.__module__ == "functools" and hasattr(value, "func"):
            self._reach(value.func, name)
        elif self._is_watched(value):
            self._reach_class(kind)

    def _reach_class(self, kind: type) -> None:
        for base in kind.__mro__:
            if id(base) in self._classes or not _fingerprints().is_own(base.__module__):
                continue
            self._classes[id(base)] = base
            for value in list(vars(base).values()):
                function = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if isinstance(function, _FUNCTION):
                    self._functions.append(function)

    def _watch_attributes(
        self, owner: Any, found: Any, stored_in: set[tuple[str, str]], only_stored: bool = False
    ) -> None:
        """Watch the data of a class or function: what its attributes hold, and those that functions store in it."""
        name = owner.__name__
        stored = {attribute for holder, attribute in stored_in if holder == name}
        if not only_stored:
            stored |= {attribute for attribute in self.operations.stored if _is_data(found.get(attribute, _ABSENT))}
            for attribute, value in list(found.items()):
                if not attribute.startswith("__") and not _is_private_to_enum(attribute) and self._is_watched(value):
                    stored.add(attribute)
        for attribute in stored:
            self.variables[attribute, id(owner)] = (f"{name}.{attribute}", found.get, attribute)


def _captured(function: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Return a function's globals, variables of enclosing functions and defaults: (name, value, getter, key)."""
    code, found = function.__code__, function.__globals__
    for name in names_used(code):
        if own and (found.get("__name__"), name) in own:
            continue
        yield name, found.get(name, _ABSENT), found.get, name
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        get = _Cell(cell).get
        yield name, get(name, _ABSENT), get, name
    defaults = _defaults(function)
    for name, value in defaults.items():
        yield name, value, {name: value}.get, name


class _Cell:
    """A variable of an enclosing function, read like an item of a dictionary."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def get(self, name: str, absent: Any) -> Any:
        """Return its value."""
        try:
            return self._cell.cell_contents
        except ValueError:
            return absent


def _may_change(function: Any) -> bool:
    """Say whether a function captures anything but modules, constants that it does not set, and functions of others.

    Those are builtins, and functions of other modules that have no data of their own: nobody looks into them.
    """
    code = getattr(function, "__code__", None)
    if code is None or type(function) is not _FUNCTION or function.__closure__ or function.__defaults__:
        return True
    get = function.__globals__.get
    for name in code.co_names:
        value = get(name, _ABSENT)
        kind = type(value)
        if value is _ABSENT or kind is _MODULE or kind in _SCALARS:
            continue
        if kind is _FUNCTION and value.__module__ != function.__module__ and not value.__dict__:
            continue
        if kind is not _BUILTIN or not isinstance(value.__self__, (_MODULE, type(None))):
            return True
    has_functions = any(hasattr(constant, "co_code") for constant in code.co_consts)
    return has_functions or bool(function.__kwdefaults__) or _sets_names(code)


def _sets_names(code: Any) -> bool:
    return bool(code.co_names) and not _setting().isdisjoint(code.co_code[::2])


def _setting() -> frozenset[int]:
    """Return the instructions that set names; the first call takes this function's place."""
    global _setting
    import opcode

    found = frozenset(opcode.opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR"))
    _setting = lambda: found  # noqa: E731
    return found


def _defaults(function: Any) -> dict[str, Any]:
    code = function.__code__
    values = function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    return {
        **dict(zip(positional[len(positional) - len(values) :], values, strict=False)),
        **(function.__kwdefaults__ or {}),
    }


def _is_data(value: Any) -> bool:
    """Say whether an attribute of a class is there, and neither a function nor what stands for one."""
    return value is not _ABSENT and not isinstance(value, _FUNCTION) and not hasattr(type(value), "__get__")


def _is_private_to_enum(name: str) -> bool:
    return name.startswith("_") and name.endswith("_")


def _is_generator(value: Any) -> bool:
    module = type(value).__module__
    return module == "random" or module.startswith("numpy.random")


def _fingerprints() -> Any:
    """Return the module that looks into values; the first call imports it and takes this function's place."""
    global _fingerprints
    module = import_late("graflow_fast._worker.fingerprints")
    _fingerprints = lambda: module  # noqa: E731
    return module


_SCALARS = frozenset((int, float, bool, complex, str, bytes))
