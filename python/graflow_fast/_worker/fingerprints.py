"""What stands for the content of a captured value, so that a change of it is recognised after a body has run.

Owns which values can change at all and how their content is looked at: small plain ones by `marshal`, which takes a
fraction of a microsecond, all others part by part as `pickle` would, but without needing to find their classes by name.
Knows nothing of functions and variables.
"""

from __future__ import annotations

import marshal
import sys
from _collections import deque  # type: ignore[import-not-found]
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: So many parts of a value are looked at; of a container with more items, only which items these are.
MOST_PARTS = 1000
#: Contents of more bytes are looked at as large ones are.
MOST_BYTES = 64 * 1024
#: Arrays of more bytes are only measured.
_MOST_ARRAY_BYTES = 64 << 20
#: Without references between equal parts, which depend on who else holds them.
_MARSHAL_VERSION = 2

_CONTAINERS = (list, dict, set, bytearray, deque)
_SCALARS = frozenset((int, float, bool, complex, str, bytes, type(None), type(...)))
_FUNCTION: Any = type(lambda: None)
_BOUND: Any = type(type("", (), {"method": lambda self: None})().method)
_BUILTIN: Any = type(len)
_MODULE: Any = type(sys)
_MEMBER: Any = type(type("", (), {"__slots__": ("slot",)}).slot)  # type: ignore[attr-defined]
_GENERATOR: Any = type(_ for _ in ())
#: Iterators of builtin kinds say where they are when they are asked how to make them anew.
_ITERABLES: list[Any] = [[], (), {}, {}.values(), {}.items(), set(), "", range(0), b"", bytearray()]
_ITERATORS = tuple(
    {type(iter(value)) for value in _ITERABLES}
    | {enumerate, zip, map, filter, reversed, type(reversed([])), type(reversed({})), type(iter(int, 0))}
)
_STANDARD = sys.stdlib_module_names - {"__main__"}
#: Modules of the standard library whose objects hold what programs put there.
_HOLDERS = frozenset(("collections", "_collections", "types", "itertools", "functools", "_functools", "_io", "array"))
_FIXED_KINDS = frozenset(("mappingproxy", "GenericAlias", "CodeType", "_lru_cache_wrapper", "FileIO", "TextIOWrapper"))


class Same:
    """Stands for an object that can't be looked into: another object is another content."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Same and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def is_library(module: str | None) -> bool:
    """Say whether a module is the standard library's, ours or numpy's: their objects are not the program's own."""
    package = (module or "").partition(".")[0]
    return package in _STANDARD or package in ("graflow_fast", "numpy")


_own: dict[str, bool] = {}


def is_own(module: str | None) -> bool:
    """Say whether a module is the program's own, not that of an installed package."""
    if is_library(module):
        return False
    if module == "__main__":  # of the program, though that of this process is another one
        return True
    name = (module or "").partition(".")[0]
    found = _own.get(name)
    if found is None:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        found = _own[name] = "site-packages" not in file and "dist-packages" not in file
    return found


def is_mutable(value: Any) -> bool:
    """Say whether the content of a value can change, and means something to the program that captured it."""
    kind = type(value)
    if kind in _SCALARS or isinstance(value, (type, _MODULE, _FUNCTION)):
        return False
    if isinstance(value, _CONTAINERS) or graph_of(value) is not None or kind is _GENERATOR or kind in _ITERATORS:
        return True
    if isinstance(value, tuple):
        return any(map(is_mutable, value[:MOST_PARTS]))
    if kind is _BOUND or kind is _BUILTIN:
        owner = value.__self__
        return owner is not None and not isinstance(owner, _MODULE) and is_mutable(owner)
    module = kind.__module__
    if module == "numpy":
        return kind.__name__ == "ndarray"
    if module in _HOLDERS:
        return kind.__name__ not in _FIXED_KINDS
    if "Logger" in kind.__name__ and not is_own(module):  # loguru's notes which modules have logged
        return False
    enum = sys.modules.get("enum")
    if is_library(module) or (enum is not None and isinstance(value, enum.Enum)):
        return False
    return bool(kind.__dictoffset__) or any(vars(base).get("__slots__") for base in kind.__mro__)


def graph_of(value: Any) -> Any:
    """Return a graph, or that of a workflow; None of anything else."""
    kind = type(value)
    if kind.__module__ == "graflow_fast.core.workflow":
        value = getattr(value, "graph", None)
        kind = type(value)
    return value if kind.__module__ == "graflow_fast.core.graph" and kind.__name__ == "TaskGraph" else None


def is_large(value: Any) -> bool:
    """Say whether there is too much in a value to look at it after each body."""
    if type(value).__module__ == "numpy":
        return int(getattr(value, "nbytes", 0)) > MOST_BYTES
    return hasattr(type(value), "__len__") and isinstance(value, _CONTAINERS) and len(value) > MOST_PARTS


def content(value: Any) -> Any:
    """Return what stands for the content of a value; equal as long as that is the same."""
    kind = type(value)
    if kind is dict or kind is list or kind is set:
        try:
            return marshal.dumps(value, _MARSHAL_VERSION)
        except ValueError:
            pass
    elif is_plain_object(value):
        return attributes(value)
    return _Walk().parts(value)


def attributes(value: Any) -> Any:
    """Return the content of an object that is its attributes alone: bytes, or by name."""
    found = _attributes_of(value)
    try:
        return marshal.dumps(found, _MARSHAL_VERSION)
    except ValueError:
        walk = _Walk()
        return {name: walk.parts(each) for name, each in found.items()}


def _attributes_of(value: Any) -> dict[str, Any]:
    slots = _slots[type(value)]
    if not slots:
        own: dict[str, Any] = vars(value)
        return own
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**found, **getattr(value, "__dict__", {})}


def changed_attributes(before: Any, after: Any) -> dict[str, bool]:
    """Return the attributes that differ, and of each whether there was nothing (or None) before."""
    old, new = _by_name(before), _by_name(after)
    nothing = (type(None), None)
    return {
        name: old.get(name, nothing) == nothing
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    }


def large_content(value: Any) -> Any:
    """Return what stands for the content of a large value: which items or attributes it has, not what is in these."""
    if type(value).__module__ == "numpy":
        import zlib

        if value.nbytes > _MOST_ARRAY_BYTES or value.dtype.hasobject:
            return value.shape
        return zlib.crc32(value if value.flags.c_contiguous else value.tobytes()), value.shape
    if isinstance(value, dict):
        return [Same(each) for pair in value.items() for each in pair]
    if isinstance(value, (bytearray, set)):
        return type(value)(value)
    if isinstance(value, (list, tuple, deque)):
        return [Same(each) for each in value]
    if is_plain_object(value):
        return [(name, Same(each)) for name, each in _attributes_of(value).items()]
    return (Same(value),)


_plain: dict[type, bool] = {}
#: By class: the attributes that are not in the objects' dictionaries.
_slots: dict[type, list[str]] = {}


def is_plain_object(value: Any) -> bool:
    """Say whether an object is made of its attributes alone."""
    kind = type(value)
    found = _plain.get(kind)
    if found is None:
        of_its_own = ("__reduce_ex__", "__reduce__", "__getstate__")
        found = _plain[kind] = (
            all(getattr(kind, name, None) is getattr(object, name, None) for name in of_its_own)
            and not issubclass(kind, (*_CONTAINERS, tuple, int, float, str, bytes, type, _MODULE, _FUNCTION))
            and (is_own(kind.__module__) or kind.__module__ in ("types", "collections"))
        )
        members = {name: each for base in kind.__mro__ for name, each in vars(base).items()}
        _slots[kind] = [name for name, each in members.items() if type(each) is _MEMBER]
        found = _plain[kind] = found and (bool(_slots[kind]) or hasattr(value, "__dict__"))
    return found


def _by_name(found: Any) -> dict[str, Any]:
    if type(found) is not bytes:
        return found if type(found) is dict else {}
    walk = _Walk()
    return {name: walk.parts(each) for name, each in marshal.loads(found).items()}


class _Walk:
    """One look at a value, part by part."""

    def __init__(self) -> None:
        self._left = MOST_PARTS
        self._seen: dict[int, int] = {}
        #: What was made for the look must live as long as it takes, or its address would be another part's.
        self._held: list[Any] = []

    def parts(self, value: Any) -> Any:
        """Return what stands for a value and all in it."""
        kind = type(value)
        if kind in _SCALARS:
            return kind, value
        if isinstance(value, (type, _MODULE, _FUNCTION)):
            return Same(value)
        number = self._seen.get(id(value))
        if number is not None:
            return "again", number
        self._left -= 1
        if self._left < 0:
            return Same(value)
        self._seen[id(value)] = len(self._seen)
        self._held.append(value)
        if kind is dict:
            return kind, [(self.parts(key), self.parts(each)) for key, each in value.items()]
        if kind in (list, tuple, set, frozenset, deque):
            return kind, [self.parts(each) for each in value]
        if kind is bytearray:
            return kind, bytes(value[:MOST_BYTES])
        return kind, self._others(value, kind)

    def _others(self, value: Any, kind: type) -> Any:
        if is_plain_object(value):
            return self.parts(_attributes_of(value))
        if kind is _BOUND:
            return self.parts(value.__self__), Same(value.__func__)
        graph = graph_of(value)
        if graph is not None:
            return len(graph.nodes), len(graph.get_edges())
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            return large_content(value)
        if kind is _GENERATOR:
            frame = value.gi_frame
            return None if frame is None else (frame.f_lasti, self.parts(dict(frame.f_locals)))
        if kind is count:
            return repr(value)
        if not is_own(kind.__module__) and kind.__module__ not in _HOLDERS and kind not in _ITERATORS:
            return _pickled(value)
        return self._reduced(value, kind)

    def _reduced(self, value: Any, kind: type) -> Any:
        """Look at what `pickle` would keep of an object."""
        try:
            reduced = _reduce(value, kind)
        except Exception:  # it has none, so it has come here by the name of its module's variable
            own = getattr(value, "__dict__", None)
            return Same(value) if own is None else self.parts(own)
        if type(reduced) is str:
            return Same(value)
        made = [self.parts(each) for each in reduced[1:3]]
        return made + [self.parts(list(each)) for each in reduced[3:5] if each is not None]


#: Objects of installed packages whose pickle was large: that is not made again after each body.
_large_objects: set[int] = set()


def _pickled(value: Any) -> Any:
    """Return what stands for an object of an installed package: only `pickle` knows what of it counts."""
    if id(value) in _large_objects:
        return Same(value)
    import pickle

    try:
        found = pickle.dumps(value, protocol=5)
    except Exception:  # it lives in a module here, so it never had to cross
        return Same(value)
    if len(found) <= MOST_BYTES:
        return found
    _large_objects.add(id(value))
    return Same(value)


def _reduce(value: Any, kind: type) -> Any:
    if kind.__module__ != "itertools":
        return value.__reduce_ex__(4)
    import warnings

    with warnings.catch_warnings():  # Python 3.12 and 3.13 warn that 3.14 does it no more
        warnings.simplefilter("ignore")
        return value.__reduce__()
