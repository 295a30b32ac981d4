"""What definitions are made of, as it arrives in a worker: functions, classes and values, each loaded once.

All functions and classes of one module share its variables here as they did where they come from. A part whose content
has changed comes under its old number; a class stays the class that it was, with other attributes. Knows no tasks.
"""

from __future__ import annotations

import marshal
import sys

from graflow_fast._wire.functions import CLASS, FUNCTION, MODULE, NOTHING, OBJECT, PART, TEMPLATE, Template, value_of
from graflow_fast._wire.imports import import_late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any

    from graflow_fast._core import WorkerLink
    from graflow_fast._wire.functions import Given, Value

_ABSENT: Any = object()


class Parts:
    """The parts that this process has loaded."""

    def __init__(self, link: WorkerLink, loads: Callable[[bytes], Any]) -> None:
        self._link = link
        self._loads = loads
        self._namespaces: dict[int, dict[str, Any]] = {}
        self._templates: dict[int, Template] = {}
        #: The code that stands in code of theirs, by address, and by template the addresses: see `place_of_code`.
        self._codes: dict[int, tuple[Any, int, tuple[int, ...]]] = {}
        self._codes_of: dict[int, list[int]] = {}
        #: Functions, classes and values.
        self._loaded: dict[int, Any] = {}
        #: What a value is made of, by number in its pickle; kept as long as other parts may have some of it, too.
        self._made_of: dict[int, dict[int, Any]] = {}
        #: Of each template: its module, what that has by itself, and what functions name there.
        self._named: dict[int, tuple[int, dict[str, Any], dict[str, Value]]] = {}
        #: Values and classes as they came, for bodies may change them.
        self._blobs: dict[int, bytes] = {}
        #: The names of the attributes that a class came with.
        self._attributes: dict[int, frozenset[str]] = {}
        #: The variables that hold a part: of each part, and of each variable (namespace, name).
        self._holders: dict[int, dict[tuple[int, str], None]] = {}
        self._held: dict[tuple[int, str], int] = {}
        self._loading: set[int] = set()
        #: Classes whose attributes wait for a value that is being loaded, by the number of that value.
        self._waiting: dict[int, list[int]] = {}
        #: What could not be loaded; the link gives it once, and whoever asks next shall hear the same reason.
        self._unloaded: dict[int, bytes] = {}
        self._has_main = False
        #: Attributes of modules that the program has set, by template: (module, what was there before).
        self._foreign: dict[int, dict[tuple[str, str], tuple[Any, Any]]] = {}
        #: The keys that definitions have now, by the numbers under which others name them.
        self.current: dict[int, int] = {}
        #: The numbers of classes, which values name.
        self.classes: dict[type, int] = {}

    def refresh(self, numbers: tuple[int, ...]) -> None:
        """Load of these parts those that are new or have changed."""
        for number in numbers:
            self._take(number)

    def part(self, number: int) -> Any:
        """Return the function, class or value with that number.

        Raises:
            LookupError: it was never sent, or needs itself to be loaded.
        """
        self._take(number)
        found = self._loaded.get(number, _ABSENT)
        if found is _ABSENT:
            raise LookupError(f"part {number} is not here")
        return found

    def template(self, number: int) -> Template:
        """Return the template with that number.

        Raises:
            LookupError: it was never sent.
        """
        self._take(number)
        found = self._templates.get(number)
        if found is None:
            raise LookupError(f"template {number} is not here")
        return found

    def number_of_class(self, kind: type) -> int | None:
        """Return the number of a class that came from the coordinator."""
        return self.classes.get(kind)

    def place_of_code(self, function: FunctionType) -> tuple[int, tuple[int, ...]] | None:
        """Return where a function's code stands: the number of a template, and a path of constants in its code.

        None for a function whose code or whose module did not come from the coordinator.
        """
        code = function.__code__
        found = self._codes.get(id(code))
        if found is None or found[0] is not code:
            return None
        template = self._templates.get(found[1])
        if template is None or template.module_globals is not function.__globals__:
            return None
        return found[1:]

    def _note_codes(self, number: int, code: Any, path: tuple[int, ...]) -> None:
        self._codes[id(code)] = code, number, path
        self._codes_of.setdefault(number, []).append(id(code))
        for index, constant in enumerate(code.co_consts):
            if type(constant) is type(code):
                self._note_codes(number, constant, (*path, index))

    def copies_of(self, module: Any) -> list[dict[str, Any]]:
        """Return the variables of the module with that name that functions from the coordinator have here."""
        return [variables for variables in self._namespaces.values() if variables.get("__name__") == module]

    def forget(self, number: int) -> None:
        """Let go of a part that nobody names any more."""
        self._unloaded.pop(number, None)
        if self._templates.pop(number, None) is not None:
            if number in self._foreign:
                self._set_foreign(number, ())
                del self._foreign[number]
            for address in self._codes_of.pop(number, ()):
                if (found := self._codes.get(address)) is not None and found[1] == number:
                    del self._codes[address]
            self._named.pop(number, None)
            return
        self._blobs.pop(number, None)
        self._attributes.pop(number, None)
        self._made_of.pop(number, None)
        self._namespaces.pop(number, None)
        loaded = self._loaded.pop(number, _ABSENT)
        if isinstance(loaded, type):
            self.classes.pop(loaded, None)
        for holder in self._holders.pop(number, ()):
            if self._held.get(holder) == number:
                del self._held[holder]
                variables = self._namespaces.get(holder[0])
                if variables is not None and variables.get(holder[1], _ABSENT) is loaded:
                    del variables[holder[1]]

    def restore(self) -> None:
        """Load all values and attributes of classes anew, and set all variables, for a body has changed something."""
        # Classes last: what they share with values is the values'.
        for number, blob in sorted(self._blobs.items(), key=lambda item: isinstance(self._loaded.get(item[0]), type)):
            self._load(number, blob)
        for variables in self._namespaces.values():
            variables.clear()
        for namespace, module, named in list(self._named.values()):
            if namespace in self._namespaces:
                self._namespaces[namespace].update(module, __builtins__=__builtins__, __spec__=None)
                self._bind(namespace, named)

    # --- loading

    def _take(self, number: int) -> None:
        blob = self._link.definition(number)
        if self._unloaded:
            before = self._unloaded.pop(number, None)
            blob = before if blob is None else blob
        if blob is None:
            return
        try:
            self._load(number, blob)
        except BaseException:
            self._unloaded[number] = blob
            for waiting in self._waiting.pop(number, ()):
                self._unloaded[waiting] = self._blobs[waiting]
            raise

    def _load(self, number: int, blob: bytes) -> None:
        content = self._loads(blob)
        self._loading.add(number)
        try:
            kind = content[0]
            if kind == TEMPLATE:
                self._load_template(number, *content[1:])
            elif kind == FUNCTION:
                _, template, defaults, keyword_defaults = content
                self._put(number, self.template(template).make(None, defaults, keyword_defaults))
            elif kind == OBJECT:
                self._blobs[number] = blob
                value, self._made_of[number] = self.unpickle(*content[1:])
                self._put(number, value)
            else:
                assert kind == CLASS
                self._blobs[number] = blob
                self._load_class(number, *content[1:])
        finally:
            self._loading.discard(number)
        for waiting in self._waiting.pop(number, ()):
            self._load(waiting, self._blobs[waiting])

    def _load_template(
        self,
        number: int,
        content: bytes,
        namespace: int,
        module: dict[str, Any],
        shown: tuple[str, str, str | None, str | None],
        named: dict[str, Value],
        annotations: dict[str, Value],
        foreign: tuple[tuple[str, str, Value], ...],
    ) -> None:
        variables = self._namespaces.get(namespace)
        if variables is None:
            variables = self._namespaces[namespace] = self._variables_of(module)
        variables.update(module, __builtins__=__builtins__, __spec__=None)
        code = marshal.loads(content)
        made = self._templates[number] = Template(code, variables, shown, {})
        self._note_codes(number, code, ())
        self._named[number] = namespace, module, named
        self._bind(namespace, named)
        made.annotations = {name: value_of(described, self.part) for name, described in annotations.items()}
        if foreign or number in self._foreign:
            self._set_foreign(number, foreign)

    def _variables_of(self, module: dict[str, Any]) -> dict[str, Any]:
        """Return the variables of a module, none as yet. Those of the program's own file can be found by its name, too.

        So `pickle` finds its functions and classes there, and so do processes that a body starts.
        """
        if module.get("__name__") != "__main__" or self._has_main:
            return {}
        self._has_main = True
        made = type(sys)("__main__")
        sys.modules["__main__"] = made
        return vars(made)

    def _set_foreign(self, number: int, foreign: tuple[tuple[str, str, Value], ...]) -> None:
        """Set attributes of modules as the program has them, and those that it had set before as they were here."""
        before = self._foreign.pop(number, {})
        now = self._foreign[number] = {}
        for module_name, name, described in foreign:
            module = value_of((MODULE, (module_name,)), self.part)
            value = value_of(described, self.part)
            was = before.pop((module_name, name), (module, getattr(module, name, _ABSENT)))
            now[module_name, name] = was
            if was[1] is not value and (type(was[1]) is not type(value) or was[1] != value):
                setattr(module, name, value)
        for (_, name), (module, was) in before.items():
            if was is not _ABSENT:
                setattr(module, name, was)
            elif hasattr(module, name):
                delattr(module, name)

    def _bind(self, namespace: int, named: dict[str, Value]) -> None:
        """Set variables of a module to what functions there name by them."""
        variables = self._namespaces[namespace]
        for name, described in named.items():
            holder = namespace, name
            before = self._held.pop(holder, None)
            if before is not None:
                self._holders[before].pop(holder, None)
            if described[0] == NOTHING:
                variables.pop(name, None)
                continue
            if described[0] != PART:
                variables[name] = value_of(described, self.part)
                continue
            part = described[1]
            self._held[holder] = part
            self._holders.setdefault(part, {})[holder] = None
            self._take(part)
            if part in self._loaded:
                variables[name] = self._loaded[part]
            elif part not in self._loading:  # else it is put there when it is complete
                raise LookupError(f"part {part} is not here")

    def _put(self, number: int, value: Any) -> None:
        """Note a part, and put it where it is named."""
        self._loaded[number] = value
        for namespace, name in self._holders.get(number, ()):
            variables = self._namespaces.get(namespace)
            if variables is not None:
                variables[name] = value

    def _load_class(
        self,
        number: int,
        skeleton: bytes,
        given: Given,
        state: bytes,
        needed: tuple[int, ...],
        current: tuple[tuple[int, int], ...],
    ) -> None:
        made = self._loaded.get(number)
        if made is None:
            make, arguments = self.unpickle((), skeleton)[0]
            made = make(*arguments)
            self.classes[made] = number
            self._put(number, made)
        self.current.update(current)
        for part, _, _ in given:  # which may have instances of this class in it
            if part in self._loading:
                self._waiting.setdefault(part, []).append(number)
                return
        self.refresh(needed)
        set_state, content = self.unpickle(given, state)[0]
        now = frozenset(content[0])
        for name in self._attributes.get(number, now) - now:  # which the program has deleted since
            if name in vars(made):
                delattr(made, name)
        self._attributes[number] = now
        set_state(made, content)

    def unpickle(self, given: Given, data: bytes) -> tuple[Any, dict[int, Any]]:
        """Return a pickled part, and what it is made of by number; ``given`` says what of it other parts have."""
        objects = []
        for number, index, _ in given:
            value = self.part(number)
            objects.append(value if index < 0 else self._made_of[number][index])
        return import_late("graflow_fast._wire.pickling").load_part(data, objects)  # type: ignore[no-any-return]
