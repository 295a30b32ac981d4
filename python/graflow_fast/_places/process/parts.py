"""What definitions are made of: the code of functions, helper functions, values, classes, each sent once by its number.

A part is sent again only when its content has changed, under the same number: what names it does not change with it.
Owns what a part's content is and what it names. Which part a value is, is `store`'s; what was sent where, a table's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from enum import EnumMeta
from itertools import count
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from weakref import ref

from graflow_fast._places.process.program.attributes import attributes_named, is_set_by_program
from graflow_fast._places.process.program.modules import variable_holding
from graflow_fast._places.process.tables import gone
from graflow_fast._wire import crossing
from graflow_fast._wire.code import global_names
from graflow_fast._wire.descriptions import annotations_of, are_plain, describe
from graflow_fast._wire.functions import CLASS, FUNCTION, MEMBER, NOTHING, OBJECT, PART, TEMPLATE
from graflow_fast._wire.importable import is_importable, is_importable_module

if TYPE_CHECKING:
    from graflow_fast._places.process.entries import Entry
    from graflow_fast._places.process.store import Store
    from graflow_fast._wire.functions import Value

#: Values of more bytes are known by themselves alone, not by what they are made of.
_LARGE = 1 << 16
#: What crosses by its name if its module has it under that.
_NAMED: tuple[type, ...] = (FunctionType, BuiltinFunctionType, type)
#: Stands for a global that is not there: the name is a builtin's.
_ABSENT: Any = object()
_MODULE_NAMES = ("__package__", "__name__", "__path__", "__file__")
#: What no two parts can share: these have no identity that a body could see.
_WITHOUT_IDENTITY = (str, bytes, int, float, complex, tuple, frozenset, type(None), CodeType, type, FunctionType)

#: For all pools of this process, and apart from those that a worker is told by the process it works for.
numbers = count(1 if crossing.received is None else (os.getpid() << 40) + 1)


class Part:
    """Something that crosses once.

    Attributes:
        number: under which it crosses, for as long as it lives.
        blob: its content; version: how often that has changed.
        uses: the parts and definitions that its content names.
        epoch: when it was last looked at.
    """

    __slots__ = ("__weakref__", "blob", "epoch", "number", "uses", "version")
    #: Whether values name it, so that each worker must have it at once.
    shared = False

    def __init__(self, number: int | None = None) -> None:
        self.number = next(numbers) if number is None else number
        self.blob = b""
        self.version = 0
        self.uses: tuple[Part | Entry, ...] = ()
        self.epoch = -1

    def look(self, store: Store) -> None:
        """Look again at the content, unless that was done since code of the user may have run.

        Raises:
            Exception: it can't be pickled; whatever its parts raise.
        """
        if self.epoch == store.epoch:
            return
        self.epoch = store.epoch
        try:
            self._look(store)
        except BaseException:
            self.epoch = -1
            raise

    def _look(self, store: Store) -> None:
        raise NotImplementedError

    def _is_now(self, blob: bytes | None, uses: Iterable[Part | Entry]) -> None:
        assert blob is not None
        self.uses = tuple(dict.fromkeys(uses))
        if blob != self.blob:
            self.blob = blob
            self.version += 1

    def __del__(self) -> None:
        if gone is not None:  # modules lose their names when the interpreter ends
            gone(self.number)


class Namespace:
    """The variables of a module, of which workers get those that functions name.

    Attributes:
        bound: the names of those that workers may have.
    """

    __slots__ = ("__weakref__", "bound", "module_globals", "number")

    def __init__(self, module_globals: dict[str, Any]) -> None:
        self.number = next(numbers)
        self.module_globals = module_globals
        self.bound: set[str] = set()

    def __del__(self) -> None:
        if gone is not None:  # modules lose their names when the interpreter ends
            gone(self.number)


class Template(Part):
    """The code of functions with the globals it names, and all else that functions of it have in common."""

    __slots__ = (
        "_attributes",
        "_bindings",
        "_content",
        "_found",
        "_members",
        "_names",
        "_shown",
        "annotations",
        "code",
        "namespace",
    )

    def __init__(self, function: FunctionType, content: bytes, shown: tuple[Any, ...], namespace: Namespace) -> None:
        super().__init__()
        self.code = function.__code__
        #: The code as bytes.
        self._content = content
        self.namespace = namespace
        self.annotations = dict(annotations_of(function))
        self._shown = shown
        self._names = tuple(global_names(self.code))
        #: What the names were bound to.
        self._bindings: tuple[Any, ...] = ()
        #: Those of them that cross by name, as long as their modules have them under it.
        self._members: tuple[Any, ...] = ()
        #: The attributes of modules that the code may name, and what they were.
        self._attributes: tuple[tuple[dict[str, Any], str], ...] = ()
        self._found: tuple[Any, ...] = ()
        crossing.known[self.number] = ref(self)

    @property
    def module_globals(self) -> dict[str, Any]:
        """The variables of its module."""
        return self.namespace.module_globals

    def __del__(self) -> None:
        # Modules lose their names when the interpreter ends, this one's and the other's.
        if crossing is not None and crossing.known is not None:
            crossing.known.pop(self.number, None)
            super().__del__()

    def _look(self, store: Store) -> None:
        get = self.namespace.module_globals.get
        left_out = store.left_out.get(id(self.namespace.module_globals), ()) if store.left_out else ()
        bindings = tuple([get(name, _ABSENT) for name in self._names])
        if left_out:
            bindings = tuple(
                [_ABSENT if name in left_out else value for name, value in zip(self._names, bindings, strict=True)]
            )
        if self.version and all(map(_is, bindings, self._bindings)) and self._names_what_it_did():
            if not self._attributes or all(map(_is, self._values_of_attributes(), self._found)):
                return
        else:
            has_modules = ModuleType in map(type, bindings)
            self._attributes = tuple(attributes_named(self.code, bindings)) if has_modules else ()
        uses: list[Part | Entry] = []

        def other(value: Any) -> Value:
            part = store.part_of(value)
            uses.append(part)
            return PART, part.number

        named = {
            name: describe(value, self.code, other)
            for name, value in zip(self._names, bindings, strict=True)
            if value is not _ABSENT
        }
        if self.namespace.bound:
            deleted = [name for name in self._names if name in self.namespace.bound and name not in named]
            named.update({name: (NOTHING, None) for name in deleted if name not in left_out})
        self.namespace.bound.update(named)
        home = self.namespace.module_globals.get("__name__")
        if left_out and is_importable_module(home):  # where the initializer has set them
            named.update({name: (MEMBER, (home, name)) for name in self._names if name in left_out})
        annotations = {name: describe(value, self.code, other) for name, value in self.annotations.items()}
        module = {}
        for name in _MODULE_NAMES:
            if (value := get(name, _ABSENT)) is None or type(value) is str:
                module[name] = value
        foreign: tuple[Any, ...] = ()
        if self._attributes:
            self._found = self._values_of_attributes()
            foreign = tuple(
                (variables["__name__"], name, describe(value, self.code, other))
                for (variables, name), value in zip(self._attributes, self._found, strict=True)
                if is_set_by_program(value)
            )
        content = TEMPLATE, self._content, self.namespace.number, module, self._shown, named, annotations, foreign
        self._is_now(crossing.marshalled_plain(content), uses)
        self._bindings = bindings
        found = bindings + tuple(self.annotations.values())
        self._members = tuple([value for value in found if isinstance(value, _NAMED) and is_importable(value)])

    def _names_what_it_did(self) -> bool:
        """Say whether what it names is still of the same kind: functions that are parts, and what crosses by name."""
        return all(part.fits() for part in self.uses if type(part) is Function) and all(
            map(is_importable, self._members)
        )

    def _values_of_attributes(self) -> tuple[Any, ...]:
        return tuple([variables.get(name, _ABSENT) for variables, name in self._attributes])


class Function(Part):
    """A function that others name, without cells and with plain defaults."""

    __slots__ = ("_function", "_template")

    def __init__(self, function: FunctionType, template: Template) -> None:
        super().__init__()
        self._function = function
        self._template = template

    def fits(self) -> bool:
        """Say whether the function is still what it was but for its defaults, and these are plain."""
        function = self._function
        return function.__code__ is self._template.code and not function.__dict__ and has_plain_defaults(function)

    def _look(self, store: Store) -> None:
        function = self._function
        keyword_defaults = function.__kwdefaults__ or None
        content = FUNCTION, self._template.number, function.__defaults__, keyword_defaults
        self._is_now(crossing.marshalled(content), (self._template,))


class Object(Part):
    """A value that must be pickled, and stays one object for all that name it."""

    __slots__ = ("_made_of", "value")

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value
        #: What it is made of, by address: (number in its pickle, it); None when that is much.
        self._made_of: dict[int, tuple[int, Any]] | None = None

    def _look(self, store: Store) -> None:
        try:
            data, given, uses, made_of = store.pickle(self.value, self.number)
        except Exception:
            named = variable_holding(self.value)
            if named is None:
                raise
            data, given, uses, made_of = store.pickle(named, self.number)
        self._made_of = made_of if len(data) <= _LARGE else None
        self._is_now(crossing.marshalled_plain((OBJECT, given, data)), uses)

    def number_of(self, address: int) -> int | None:
        """Return the number of what it is made of, -1 for the value itself."""
        if address == id(self.value):
            return -1
        found = None if self._made_of is None else self._made_of.get(address)
        return None if found is None or isinstance(found[1], _WITHOUT_IDENTITY) else found[0]

    def addresses(self) -> Iterable[int]:
        """Return the addresses of all that it is made of."""
        return (id(self.value),) if self._made_of is None else self._made_of.keys()


class Class(Part):
    """A class of the program's own: it can't be imported elsewhere. Instances of it name it."""

    __slots__ = ("_known", "_reference", "content", "told")
    shared = True

    def __init__(self, kind: type, gone: Callable[[Any], None], number: int | None = None) -> None:
        """Make a part of a class; ``number``: what the process that this one works for calls it, None for a new one."""
        super().__init__(number)
        self._reference = ref(kind, gone)
        self._known: tuple[Any, ...] | None = None
        self.content: tuple[Any, ...] = ()
        #: When all workers were last told of it.
        self.told = -1
        crossing.known[self.number] = self._reference

    def _look(self, store: Store) -> None:
        kind = self._reference()
        if kind is None:
            return
        now = _bindings_of(kind)
        if (
            self.version
            and now is not None
            and self._known is not None
            and len(now) == len(self._known)
            and all(map(_is, now, self._known))
        ):
            return
        skeleton, state, given, uses = store.pickle_class(kind, self.number)
        self.content = CLASS, skeleton, given, state
        self._is_now(crossing.marshalled_plain(self.content), uses)
        self._known = now


def _bindings_of(kind: type) -> tuple[Any, ...] | None:
    """Return what a class holds, if that can only change by setting an attribute anew; else None."""
    if type(kind) not in (type, EnumMeta):
        return None
    held: list[Any] = [kind.__bases__]
    for name, value in list(vars(kind).items()):
        held.append(name)
        if type(value).__name__ in ("getset_descriptor", "member_descriptor"):  # which hold the class
            continue
        held.append(value)
        if not (name.startswith("__") and name.endswith("__")):
            part = getattr(value, "__func__", value)
            if type(value) is property:
                held.extend((value.fget, value.fset, value.fdel))
            elif type(part) is FunctionType:
                if part.__closure__ or part.__dict__ or not has_plain_defaults(part):
                    return None
            elif not are_plain((value,)):
                return None
    return tuple(held)


def has_plain_defaults(function: FunctionType) -> bool:
    """Say whether a function's defaults are scalars, or tuples of such."""
    return are_plain(function.__defaults__ or ()) and are_plain(tuple((function.__kwdefaults__ or {}).values()))


def _is(one: Any, other: Any) -> bool:
    return one is other
