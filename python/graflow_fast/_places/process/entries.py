"""What is known of definitions: patterns, which those of one function have in common, and what each has by itself.

Owns when a definition is another one than before. Knows no pools: what was sent where is a table's.
"""

from __future__ import annotations

import marshal
import sys
from operator import attrgetter, itemgetter
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import ref

from graflow_fast._core import Filler
from graflow_fast._places.process.parts import Part, Template, numbers
from graflow_fast._places.process.store import store
from graflow_fast._places.process.tables import gone
from graflow_fast._wire import crossing
from graflow_fast._wire.descriptions import are_plain
from graflow_fast._wire.functions import MEMBER, SHOWN
from graflow_fast._wire.importable import is_importable
from graflow_fast.core.definition import LAZY_ANNOTATIONS, Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    #: What a key stands for: the parts and definitions that it names, and how often each had changed.
    State = tuple[tuple[int, int], ...]

#: The options of a definition that are part of its pattern, and one that must be pickled.
_OPTIONS = (
    "name",
    "inject_context",
    "handler",
    "resolve_keyword_args",
    "max_cycles",
    "max_retries",
    "timeout",
    "memory_limit",
    "priority",
    "max_concurrency",
    "resources",
    "cache",
    "injected",
)
_options_of = itemgetter(*_OPTIONS)
#: What the options but the name are of most definitions.
_DEFAULTS = tuple(itemgetter(*_OPTIONS[1:])(Definition(is_importable).__dict__))
_shown_of = attrgetter(*SHOWN)
_RICH_OPTION = "retry_policy"
#: All else that a definition has by itself.
_OTHERS = frozenset(("func", "_parameters", "_takes_any", "filler", "named", "bound_names", "shown"))
_MOST_FIELDS = len(_OPTIONS) + 1 + len(_OTHERS)


class Pattern:
    """What definitions of one function and with the same options have in common.

    Attributes:
        key: another one after each change of something that the function's code names.
        keys: its key and all that must be there before it.
        parts, entries: what its template names, directly or not; named: the definitions of these entries.
        shown: what tasks show of the function; fields: what a worker is told of the definitions.
        blob: what a worker is told as a whole.
        state: what the key stands for.
    """

    __slots__ = (
        "__weakref__",
        "blob",
        "entries",
        "epoch",
        "fields",
        "first",
        "former",
        "function",
        "key",
        "keys",
        "named",
        "parts",
        "shown",
        "state",
        "template",
    )

    def __init__(self, template: Template | None, definition: Definition, options: tuple[Any, ...]) -> None:
        self.template = template
        self.function = None if template is not None else definition.func
        filler = Filler.of(definition)
        self.shown = definition.shown.copy()
        shown = self.shown.copy()
        shown.pop("__annotations__", None)
        others = None if options[1:] == _DEFAULTS else dict(zip(_OPTIONS[1:], options[1:], strict=True))
        self.fields = options[0], others, filler.listed, filler.takes_any, shown
        self.key = 0
        self.keys: tuple[int, ...] = ()
        self.epoch = -1
        self.state: State = ()
        self.parts: list[Part] = []
        self.entries: list[Entry] = []
        self.named: list[Definition] = []
        self.blob = b""
        #: What is known of the first definition that has nothing of its own and crosses under the pattern's key.
        self.first: Entry | None = None
        self.former: list[int] = []

    def shows(self, shown: dict[str, Any]) -> bool:
        """Say whether tasks show that of their function."""
        try:
            return bool(self.shown == shown)
        except Exception:  # an annotation that can't be compared
            return False

    def is_plain(self) -> bool:
        """Say whether all that is not in the template crosses without a pickle."""
        if not are_plain(tuple(self.fields[4].values())):
            return False
        if self.template is None or LAZY_ANNOTATIONS:  # then tasks show what their function says when somebody asks
            return True
        try:
            return bool(self.shown.get("__annotations__") == self.template.annotations)
        except Exception:  # an annotation that can't be compared
            return False

    def what(self) -> Any:
        """Return the number of the template, or what stands for the function."""
        if self.template is not None:
            return self.template.number
        function: Any = self.function
        return MEMBER, (function.__module__, function.__qualname__)

    def renew(self) -> None:
        """Take another key: something that the code names has changed, or there is none."""
        self.key = next(numbers)
        self.former.append(self.key)
        crossing.known[self.key] = _OfPattern(self)

    def __del__(self) -> None:
        if gone is None or crossing.known is None:  # modules lose their names when the interpreter ends
            return
        for key in self.former:
            crossing.known.pop(key, None)
        gone(self.key)


class _OfPattern(ref):  # type: ignore[type-arg]
    """Finds a definition that crosses under the key of a pattern: any, for they are all alike."""

    __slots__ = ()

    def __call__(self) -> Definition | None:
        pattern: Pattern | None = super().__call__()
        if pattern is None:
            return None
        found = None if pattern.first is None else pattern.first()
        if found is None:
            users = (entry for entry in list(known.values()) if entry.pattern is pattern and not entry.key)
            pattern.first = next((entry for entry in users if entry() is not None), None)
            found = None if pattern.first is None else pattern.first()
        return found


class Entry(ref):  # type: ignore[type-arg]
    """What is known of one definition: what was sent of it, under which key, and when that was last looked at.

    Attributes:
        address: where the definition is.
        number: under which others name it; key: under which it is run, another one after each change.
        keys: its key and all that must be there before it, right as of ``epoch``.
        own: what it has by itself, if that is plain; else ``pickled``: the same as bytes, and what other parts have of
            it. ``uses``: what that names. All of these as of ``looked``; ``version``: how often they have changed.
        state: what the key stands for; blob: what is sent under it.
        parts: what it names that its pattern does not, directly or not.
        twin: an equal definition that crosses in its place; twin_key: under which others find this one as theirs.
        former: all keys that it has had.
    """

    address = number = key = version = 0
    epoch = looked = -1
    keys: tuple[int, ...] = ()
    former: list[int] | None = None
    parts: Sequence[Part] = ()
    own: tuple[Any, Any, Any] | None = None
    pickled: tuple[Any, bytes] | None = None
    pattern: Pattern | None = None
    uses: tuple[Part | Entry, ...] = ()
    state: Any = ()
    blob = b""
    twin: Definition | None = None
    twin_key: tuple[int, int] | None = None


def pattern_of(definition: Definition) -> Pattern | None:
    """Return the pattern of a definition, None when there is something that must be pickled with it as a whole."""
    function, fields = definition.func, definition.__dict__
    if fields[_RICH_OPTION] is not None:
        return None
    if type(function) is FunctionType:
        if LAZY_ANNOTATIONS and getattr(function.__annotate__, "__closure__", None):  # type: ignore[attr-defined,unused-ignore]
            return None  # its annotations are its own: another one of this code may have others
        defaults, keyword_defaults = function.__defaults__, function.__kwdefaults__
        # What tells its parameters, without looking at each; annotations are among what it shows.
        counts = 0 if defaults is None else len(defaults), None if not keyword_defaults else tuple(keyword_defaults)
        code, module_globals = function.__code__, function.__globals__
        key: Any = id(code), id(module_globals), _shown_of(function), _options_of(fields), counts
    else:
        key = id(function), _options_of(fields)
    try:
        reference = _patterns.get(key)
    except TypeError:  # an option or an attribute of another kind than its name says
        return None
    found = None if reference is None else reference()
    if found is None:
        return _new_pattern(definition, key)
    return found if not getattr(function, "__dict__", None) and found.shows(fields["shown"]) else None


def _new_pattern(definition: Definition, key: Any) -> Pattern | None:
    function, fields = definition.func, definition.__dict__
    template: Template | None = None
    if is_importable(function):
        if type(function) not in (FunctionType, BuiltinFunctionType, type):
            return None
    elif type(function) is not FunctionType or function.__dict__ or (template := store.template_of(function)) is None:
        return None
    options = key[3] if len(key) == 5 else key[1]
    if not are_plain(options) or len(fields) != _MOST_FIELDS:
        return None
    made = Pattern(template, definition, options)
    if not made.is_plain():
        return None
    forget = _patterns.pop  # held by itself: modules lose their names when the interpreter ends
    _patterns[key] = ref(made, lambda _: forget(key, None))
    return made


def has_nothing(pattern: Pattern, function: Any) -> bool:
    """Say whether a function is all that its pattern says."""
    if pattern.template is None:
        return True
    return function.__closure__ is None and not function.__defaults__ and not function.__kwdefaults__


def plain_values(pattern: Pattern, function: Any) -> tuple[Any, Any, Any] | None:
    """Return what cells and defaults hold, None if that must be pickled."""
    if pattern.template is None:
        return None, None, None
    cells: Any = function.__closure__
    if cells is not None:
        try:
            cells = tuple([cell.cell_contents for cell in cells])
        except ValueError:
            return None
        if not are_plain(cells):
            return None
    defaults, keyword_defaults = function.__defaults__, function.__kwdefaults__
    if defaults is not None and not are_plain(defaults):
        return None
    if keyword_defaults is not None and not are_plain(tuple(keyword_defaults.values())):
        return None
    return cells, defaults, keyword_defaults


def living(entry: Entry) -> Definition:
    definition = entry()
    assert isinstance(definition, Definition)
    return definition


def living_among(entries: Sequence[Entry]) -> list[Definition]:
    return [found for each in entries if (found := each()) is not None] if entries else []


def look_at(entry: Entry) -> None:
    """Note what a definition has by itself as it is now."""
    definition = living(entry)
    if entry.looked == store.epoch:
        return
    function: Any = definition.func
    pattern = pattern_of(definition)
    own = None if pattern is None else plain_values(pattern, function)
    pickled = None
    uses: Any = ()
    if own is None:
        if pattern is None:
            value: Any = definition.__getstate__()
        else:
            value = _contents(function), function.__defaults__, function.__kwdefaults__
        data, given, uses, _ = store.pickle(value, sys.maxsize)
        pickled = given, data
    if entry.twin is not None:  # it was not known by itself until now
        entry.twin, entry.key = None, 0
    if not entry.version or pickled != entry.pickled or marshal.dumps(own, 2) != marshal.dumps(entry.own, 2):
        entry.version += 1
    entry.pattern, entry.own, entry.pickled, entry.uses = pattern, own, pickled, tuple(dict.fromkeys(uses))
    entry.looked = store.epoch


def _contents(function: FunctionType) -> tuple[Any, ...] | None:
    """Return what a function's cells hold, each in a tuple, which is empty for a cell that is."""
    if function.__closure__ is None:
        return None
    found: list[tuple[Any, ...]] = []
    for cell in function.__closure__:
        try:
            found.append((cell.cell_contents,))
        except ValueError:
            found.append(())
    return tuple(found)


def reach(roots: Sequence[Part | Entry]) -> tuple[list[Part], list[Entry]]:
    """Return the parts and the definitions that these are or name, directly or not."""
    if len(roots) == 1 and isinstance(roots[0], Part) and not roots[0].uses:
        return [roots[0]], []
    seen: set[int] = set()
    parts: list[Part] = []
    entries: list[Entry] = []
    todo = list(roots)
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if type(current) is Entry:
            entries.append(current)
            if current.pattern is not None and current.pattern.template is not None:
                todo.append(current.pattern.template)
        else:
            parts.append(current)  # type: ignore[arg-type]
        if current.uses:
            todo.extend(current.uses)
    return parts, entries


def state_of(parts: Sequence[Part], entries: Sequence[Entry]) -> State:
    found = [(part.number, part.version) for part in parts]
    if entries:
        found.extend([(entry.number, entry.version) for entry in entries])
    return tuple(found)


def numbers_of(parts: Sequence[Part]) -> tuple[int, ...]:
    return tuple([part.number for part in parts])


def keys_of(entries: Sequence[Entry]) -> tuple[int, ...]:
    keys = [entry.key for entry in entries]
    keys.extend(entry.pattern.key for entry in entries if entry.pattern is not None)
    return tuple(dict.fromkeys(keys))


def current_keys(entries: Sequence[Entry]) -> tuple[tuple[int, int], ...]:
    """Return the keys that definitions have now, by their numbers."""
    return tuple([(entry.number, entry.key) for entry in entries])


def entry_of(definition: Definition) -> Entry:
    entry = known.get(id(definition))
    if entry is None:
        entry = known[id(definition)] = Entry(definition, _forget)
        entry.address = id(definition)
    return entry


def _numbered(definition: Definition) -> Entry:
    """Return the entry of a definition that others name."""
    entry = entry_of(definition)
    if not entry.number:
        entry.number = next(numbers)
        crossing.known[entry.number] = entry
        if entry.former is None:
            entry.former = []
        entry.former.append(entry.number)
    return entry


def _forget(entry: Entry) -> None:
    """Forget a definition that is gone; called by the collector, too, in any thread and at any moment."""
    if known is None:  # modules lose their names when the interpreter ends
        return
    if known.get(entry.address) is entry:
        del known[entry.address]
    if entry.pattern is not None and entry.pattern.first is entry:
        entry.pattern.first = None
    if entry.twin_key is not None and twins.get(entry.twin_key) is entry:
        del twins[entry.twin_key]
    for key in entry.former or ():
        crossing.known.pop(key, None)
        gone(key)


#: By the address of a definition.
known: dict[int, Entry] = {}
#: By the addresses of a function and its pattern: the first definition of both.
twins: dict[tuple[int, int], Entry] = {}
_patterns: dict[Any, ref[Pattern]] = {}
store.entry_of = _numbered
