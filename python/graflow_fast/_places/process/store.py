"""Which part a value, a function or a class is, and how parts are pickled.

One store serves the whole process, for values that name a class may go from one pool to another. Knows no pools: what
was sent where is a table's.
"""

from __future__ import annotations

from _weakref import _remove_dead_weakref  # type: ignore[attr-defined]
from collections.abc import Callable
from operator import attrgetter
from threading import RLock
from types import FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary, ref

from graflow_fast._places.process.parts import Class, Function, Namespace, Object, Part, Template, has_plain_defaults
from graflow_fast._wire import crossing
from graflow_fast._wire.code import code_bytes
from graflow_fast._wire.descriptions import annotations_of, are_plain
from graflow_fast._wire.functions import SHOWN
from graflow_fast._wire.importable import is_importable

if TYPE_CHECKING:
    from graflow_fast._places.process.entries import Entry
    from graflow_fast._wire.functions import Given
    from graflow_fast.core.definition import Definition

_shown_of = attrgetter(*SHOWN)
#: A class that was made by a statement (`Py_TPFLAGS_HEAPTYPE`).
_HEAP_TYPE = 1 << 9


def _no_number(kind: type) -> None:
    return None


class Store:
    """All parts of this process."""

    def __init__(self) -> None:
        #: Bumped whenever user code may have run here since, so that what can change is looked at again.
        self.epoch = 0
        #: Held while parts are looked at: runs may be driven by several threads.
        self.lock = RLock()
        #: By the address of their variables; they are gone from here when they end.
        self._namespaces: dict[int, ref[Namespace]] = {}
        self._templates: dict[tuple[Any, ...], ref[Template]] = {}
        self._parts: WeakValueDictionary[int, Function | Object] = WeakValueDictionary()
        self._classes: dict[int, Class] = {}
        #: By the address of a module's variables: those that an initializer sets in each worker, so they stay here.
        self.left_out: dict[int, set[str]] = {}
        #: Says which entry a definition has.
        self.entry_of: Callable[[Definition], Entry]
        #: Says under which number the process that this one works for has sent a class, None when it has not.
        self.number_given_to: Callable[[type], int | None] = _no_number

    # --- what a value is in a description

    def part_of(self, value: Any) -> Part:
        """Return the part that a value is, looked at."""
        if isinstance(value, type) and (kind := self.class_of(value)) is not None:
            return kind
        part = self._parts.get(id(value))
        if part is not None and type(part) is Function and not part.fits():
            part = None
        if part is None:
            part = self._function(value) if type(value) is FunctionType else None
            self._parts[id(value)] = part = Object(value) if part is None else part
        return part

    def _function(self, function: FunctionType) -> Function | None:
        if function.__closure__ or function.__dict__ or not has_plain_defaults(function):
            return None
        template = self.template_of(function)
        return (
            None
            if template is None or template.annotations != annotations_of(function)
            else Function(function, template)
        )

    def template_of(self, function: FunctionType) -> Template | None:
        """Return the template of a function, None when its code can't cross by itself."""
        code, module_globals = function.__code__, function.__globals__
        shown = _shown_of(function)
        key = id(code), id(module_globals), shown
        known = self._templates.get(key)
        found = None if known is None else known()
        if found is None:
            if (content := code_bytes(code)) is None or not are_plain(shown):
                return None
            found = Template(function, content, shown, self._namespace_of(module_globals))
            _keep(self._templates, key, found)
        return found

    def _namespace_of(self, module_globals: dict[str, Any]) -> Namespace:
        known = self._namespaces.get(id(module_globals))
        found = None if known is None else known()
        if found is None:
            found = Namespace(module_globals)
            _keep(self._namespaces, id(module_globals), found)
        return found

    def class_of(self, kind: type) -> Class | None:
        """Return the part that a class is, None when it is importable, or cloudpickle must make it."""
        found = self._classes.get(id(kind))
        if found is None:
            if not kind.__flags__ & _HEAP_TYPE or is_importable(kind) or type(kind).__name__ == "_TypedDictMeta":
                return None
            from graflow_fast._wire.pickling import reduce_class

            if reduce_class(kind) is None:
                return None
            address = id(kind)
            number = self.number_given_to(kind)
            found = self._classes[address] = Class(kind, lambda _: self._forget_class(address), number)
        return found

    def classes(self) -> list[Class]:
        """Return the classes that are known."""
        return list(self._classes.values())

    def _forget_class(self, address: int) -> None:
        found = self._classes.pop(address, None)
        if found is not None:
            crossing.known.pop(found.number, None)

    # --- pickles

    def pickle(self, value: Any, number: int) -> tuple[bytes, Given, list[Part | Entry], dict[int, tuple[int, Any]]]:
        """Return a value as bytes; what of it other parts have, too; what it names; and what it is made of.

        What other parts have (those of lower numbers, so that there are no circles) is taken from them.
        """
        from graflow_fast._wire.pickling import dump_part

        names = _Names(self)
        data, made_of = dump_part(value, names)
        shared: dict[int, tuple[Object, int, Any]] = {}
        for part in list(self._parts.values()):
            if type(part) is Object and part.number < number and part.version:
                for address in made_of.keys() & part.addresses():
                    index = part.number_of(address)
                    if index is not None:
                        shared.setdefault(address, (part, index, made_of[address][1]))
        if not shared:
            return data, (), names.used, made_of
        names = _Names(self)
        data, made_of = dump_part(value, names, [obj for _, _, obj in shared.values()])
        names.used.extend(part for part, _, _ in shared.values())
        # With the version: who has something of another value must have that of its latest.
        given = tuple([(part.number, index, part.version) for part, index, _ in shared.values()])
        return data, given, names.used, made_of

    def pickle_class(self, kind: type, number: int) -> tuple[bytes, bytes, Given, list[Part | Entry]]:
        """Return a class in two steps: what makes it, empty, and what sets its attributes; and what these name."""
        from graflow_fast._wire.pickling import dump_part, reduce_class

        reduced = reduce_class(kind)
        assert reduced is not None
        make, arguments, state, set_state = reduced
        names = _Names(self)
        skeleton, _ = dump_part((make, arguments), names)
        data, given, used, _ = self.pickle((set_state, state), number)
        return skeleton, data, given, [*names.used, *used]


def _keep(table: dict[Any, ref[Any]], key: Any, value: Any) -> None:
    """Put something into a table that doesn't keep it: a `WeakValueDictionary` takes several times as long."""
    remove = _remove_dead_weakref  # held by itself: modules lose their names when the interpreter ends
    table[key] = ref(value, lambda _: remove(table, key))


class _Names:
    """How a part that is being pickled names others, and which it has named."""

    def __init__(self, store: Store) -> None:
        self.used: list[Part | Entry] = []
        self._store = store

    def of_class(self, kind: type) -> int | None:
        part = self._store.class_of(kind)
        if part is None:
            return None
        self.used.append(part)
        return part.number

    def of_definition(self, definition: Definition) -> int:
        entry = self._store.entry_of(definition)
        self.used.append(entry)
        return entry.number

    def of_function(self, function: FunctionType) -> int | None:
        if function.__globals__.get(function.__name__) is not function:
            return None
        part = self._store.part_of(function)
        if type(part) is not Function:
            return None
        self.used.append(part)
        return part.number

    def of_template(self, function: FunctionType) -> int | None:
        template = self._store.template_of(function)
        if template is None:
            return None
        self.used.append(template)
        return template.number


store = Store()
