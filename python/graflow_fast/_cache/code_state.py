"""Keys of the code of this process, found out once and again after a change.

Owns what is remembered of functions and classes, and when that no longer holds. How the keys are made is `code_keys`'.
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from graflow_fast._cache.code_keys import Part, Walk, digest
from graflow_fast._cache.origin import installed_version, is_own
from graflow_fast._cache.value_keys import brief_key_of, key_of

__all__ = ["Code", "brief_key", "code_of", "key"]

#: How many functions and classes that are values are remembered.
_MOST = 256

_known: dict[int, Code] = {}
_installed: dict[int, tuple[Any, bytes]] = {}


class Code:
    """The key of what some functions, classes and modules do.

    Args:
        roots: these, or other things that can be called.
    """

    def __init__(self, *roots: Any) -> None:
        self.roots = roots
        self._seen: tuple[Walk, bytes] | None = None  # replaced as a whole: threads look, too

    @property
    def parts(self) -> dict[str, Part]:
        """What it is made of by name, as of the last look."""
        return {} if self._seen is None else self._seen[0].parts

    def current(self) -> bytes:
        """Return the key as of now.

        Raises:
            NoKeyError: something has no content.
        """
        seen = self._seen
        if seen is None or not seen[0].watch.holds():
            walk = Walk(*self.roots)
            seen = self._seen = walk, digest(walk.parts)
        return seen[1]

    def changed(self) -> str | None:
        """Return what is another than at the last look, for people; None if nothing is."""
        return None if self._seen is None else self._seen[0].watch.changed()


def key(value: Any) -> bytes:
    """Return the key of a value.

    Raises:
        NoKeyError: something in it has no content.
    """
    return key_of(value, code_of)


def brief_key(value: Any) -> bytes:
    """Return the key of a value, as it is if that is short.

    Raises:
        NoKeyError: something in it has no content.
    """
    return brief_key_of(value, code_of)


def code_of(thing: Any) -> bytes:
    """Return what stands for a function, class or module that is, or is in, a value.

    Raises:
        NoKeyError: it names something that has no content.
    """
    if isinstance(thing, MethodType):
        return key(("method", thing.__func__, thing.__self__))
    if isinstance(thing, BuiltinFunctionType) and not isinstance(thing.__self__, (ModuleType, type(None))):
        return key(("method", thing.__name__, thing.__self__))
    seen = _installed.get(id(thing))
    if seen is not None:
        return seen[1]
    found = _known.get(id(thing))
    if found is None:
        if not isinstance(thing, (FunctionType, type, ModuleType)) or not is_own(thing):
            stands = key(installed_version(thing))
            _installed[id(thing)] = thing, stands
            return stands
        if len(_known) >= _MOST:
            del _known[next(iter(_known))]
        found = _known[id(thing)] = Code(thing)
    return found.current()
