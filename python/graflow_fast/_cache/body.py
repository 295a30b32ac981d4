"""The body of a task with ``cache=True``: its result is taken from the cache if it is there, else it is called.

Owns the order of that. A place puts it where the function would be called, and gives it what it needs to know of where
it is (`Surroundings`). Must not know places, nor the run.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from graflow_fast._body.awaited import awaited
from graflow_fast._body.origins import HIT, MISS, UNCACHED
from graflow_fast._cache import replay
from graflow_fast._cache.arguments import Binder
from graflow_fast._cache.asking import answer
from graflow_fast._cache.code_state import Code, brief_key, key
from graflow_fast._cache.depends import Dependencies
from graflow_fast._cache.entries import DamagedError, Entries, directory_of
from graflow_fast._cache.origin import module_name, own_name
from graflow_fast._cache.recording import ContextStandIn, Recording
from graflow_fast._cache.stored import Asks, Stored, as_bytes, from_bytes, pack, unpack
from graflow_fast._cache.value_keys import NoKeyError
from graflow_fast._cache.watch import FIXED
from graflow_fast._cache.writing import NotWrittenError
from graflow_fast._store import default_path, hide_default
from graflow_fast.exceptions import NotCachedWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast.core.definition import Definition

__all__ = ["Surroundings", "body_of"]

#: Another one after each change of what keys are made of or entries look like.
FORMAT = 1

#: How many lists of questions are remembered for one code and its arguments.
_MOST_LISTS = 16

_SOUGHT = f"graflow_fast cache {FORMAT} python {sys.version_info[0]}.{sys.version_info[1]}".encode()


class Surroundings(Protocol):
    """What a cached body is told of the process that it is in."""

    def context(self) -> Any:
        """Return the context of the task that is running in this thread."""

    def listening(self) -> AbstractContextManager[list[tuple[int, Any]]]:
        """Return what keeps what is said while it is entered, which is said nevertheless; it is there at its end."""

    def say(self, pieces: list[tuple[int, Any]]) -> None:
        """Say what a body has said at another time."""

    def note(self, context: Any, kind: int, *details: Any) -> None:
        """Note where the result of a task comes from."""

    def warn(self, warning: Warning, function: Any) -> None:
        """Show a warning as one of a function's first line."""


def body_of(definition: Definition, session: str, surroundings: Surroundings) -> Callable[..., Any]:
    """Return how to call the body of a task, which may be cached, take resources, or both.

    Args:
        definition: the task's.
        session: the run's session, as for `resources.body_of`.
        surroundings: where it is.
    """
    inner: Callable[..., Any] = definition.func
    if definition.resources is not None:
        from graflow_fast._body import resources

        inner = resources.body_of(definition, session)
    if definition.cache is None:
        return inner
    known = _known.get(definition)
    if known is None:
        known = _known[definition] = _Known(definition)
    return _CachedBody(known, inner, surroundings)


class _Known:
    """What is known of one definition in this process."""

    def __init__(self, definition: Definition) -> None:
        assert definition.cache is not None
        self.function = function = definition.func
        self.name = definition.name
        self.inject = definition.inject_context
        self.version, depends = definition.cache
        self.identity = f"{module_name(function)}.{own_name(function)}"
        safe = "".join(each if each.isalnum() else "_" for each in self.identity)[-40:]
        self.group = f"{safe}-{blake2b(self.identity.encode(), digest_size=6).hexdigest()}"
        self.binder = Binder(function, int(self.inject))
        self.code = Code(function) if self.version is None else Code()
        self.depends = Dependencies(depends)
        self.is_plain = self.version is None and not self.depends
        self._begun: tuple[bytes, blake2b] | None = None
        self.warned: set[str] = set()
        self.written: set[bytes] = set()  # keys of code whose parts have been written

    def code_key(self) -> bytes:
        """Return the key of the code, or of the version that stands for it, with what it depends on."""
        if self.is_plain:
            return self.code.current()
        stated = (self.identity, self.version), self.code.current(), self.depends.current()
        return key(stated)

    def begun(self, code: bytes) -> blake2b:
        """Return the beginning of a call's key, for more to be added."""
        if self._begun is None or self._begun[0] != code:
            self._begun = code, blake2b(_SOUGHT + code, digest_size=20)
        return self._begun[1].copy()

    def parts(self) -> dict[str, tuple[bytes, str]]:
        """Return what that key was made of: a key and a place for people, by name, the function itself first."""
        named = {name: (part.key, part.where) for name, part in self.code.parts.items()}
        if self.version is not None:
            named["version="] = (repr(self.version).encode(), "")
        return {**named, **{name: (each, "") for name, each in self.depends.parts().items()}}


_known: WeakKeyDictionary[Definition, _Known] = WeakKeyDictionary()
_opened: dict[str, Entries] = {}


def _entries() -> Entries | OSError:
    """Return where results are kept, or why they can't be kept there."""
    path = os.path.abspath(default_path())
    found = _opened.get(path)
    if found is None:
        try:
            hide_default()
            found = _opened[path] = Entries(directory_of(path))
        except OSError as error:
            return error
    return found


class _Sought:
    """What is looked for: the keys of one call."""

    __slots__ = ("arguments", "base", "code")

    def __init__(self, known: _Known, bound: dict[str, Any]) -> None:
        self.code = known.code_key()
        self.arguments = keys_of(bound)
        whole = known.begun(self.code)
        for name, each in self.arguments.items():
            whole.update(b"%s=%d:%s" % (name.encode(), len(each), each))
        self.base = whole.digest()


def keys_of(bound: dict[str, Any]) -> dict[str, bytes]:
    """Return the keys of arguments.

    Raises:
        NoKeyError: one has no content; its path names it.
    """
    found = {}
    for name, value in bound.items():
        try:
            found[name] = brief_key(value)
        except NoKeyError as error:
            raise NoKeyError(f"argument '{name}'{error.path and ': ' + name + error.path}", error.kind) from error
    return found


class _CachedBody:
    """A body whose results are kept."""

    def __init__(self, known: _Known, inner: Callable[..., Any], surroundings: Surroundings) -> None:
        self._known = known
        self._inner = inner
        self._surroundings = surroundings
        self._entries = _entries()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result, and let all else happen that happens when the function is called."""
        known = self._known
        context = args[0] if known.inject else self._surroundings.context()
        bound = known.binder.bind(args[1:] if known.inject else args, kwargs)
        entries = self._entries
        try:
            if isinstance(entries, OSError):
                raise entries
            sought = _Sought(known, bound)
        except (NoKeyError, OSError) as error:
            self._refuse(context, str(error))
            return awaited(self._inner(*args, **kwargs))
        stored, loaded = self._found(entries, sought, context)
        if stored is not None and loaded is not None:
            self._surroundings.note(context, HIT, stored.made)
            return replay.again(stored, loaded, context, self._surroundings)
        return self._called(entries, sought, context, bound, args, kwargs)

    # --- a hit

    def _found(self, entries: Entries, sought: _Sought, context: Any) -> tuple[Stored | None, replay.Loaded | None]:
        """Return what is stored for a call, and its values; nothing if there is none, or it can't be used."""
        try:
            data = entries.read(self._known.group, sought.base.hex())
            if data is None:
                return None, None
            content = from_bytes(data)
            stored = self._answered(entries, sought, content, context) if isinstance(content, Asks) else content
            if stored is None:
                return None, None
            return stored, replay.load(stored, self._known.function, context, entries)
        except Exception as error:  # whatever a damaged or outdated file does when it is loaded
            self._warn(context, f"what was kept of it can't be used ({type(error).__name__}: {error}); it runs")
            return None, None

    def _answered(self, entries: Entries, sought: _Sought, asks: Asks, context: Any) -> Stored | None:
        """Return the entry for which all answers are what they were."""
        for questions in asks.lists:
            try:
                name = name_of(sought.base, [(each, key(answer(context, each))) for each in questions])
            except NoKeyError:
                continue
            data = entries.read(self._known.group, name)
            if data is not None:
                content = from_bytes(data)
                if isinstance(content, Asks):
                    raise DamagedError(f"{name} holds no result")
                return content
        return None

    # --- a miss

    def _called(
        self,
        entries: Entries,
        sought: _Sought,
        context: Any,
        bound: dict[str, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        known = self._known
        recording = Recording(key)
        if known.inject:
            args = ContextStandIn(context, recording), *args[1:]
        with self._surroundings.listening() as said:
            result = awaited(self._inner(*args, **kwargs))
        recording.look_again()
        if (changed := _changed(sought, bound)) is not None:
            recording.refuse(f"it changes its argument '{changed}' in place")
        if known.version is None and (changed := known.code.changed()) is not None:
            recording.refuse(f"it changes {changed}")
        if recording.refused is None:
            try:
                return self._kept(entries, sought, context, recording, result, said)
            except NoKeyError as error:
                recording.refuse(f"of what it returns or writes, {error}")
            except OSError as error:
                recording.refuse(f"it can't be written: {error}")
        if recording.refused:
            self._refuse(context, recording.refused)
        return result

    def _kept(
        self,
        entries: Entries,
        sought: _Sought,
        context: Any,
        recording: Recording,
        result: Any,
        said: list[tuple[int, Any]],
    ) -> Any:
        """Write what a call did; return its result as it will be given the next time."""
        known, function = self._known, self._known.function
        node_named = replay.namer(context) if known.inject else None
        packed = pack(result, function, node_named, entries)
        steps = replay.packed_steps(recording.steps, lambda value: pack(value, function, node_named, entries))
        asked = list(recording.asked.items())
        stored = Stored(sought.base, time.time(), sought.code, sought.arguments, asked, packed, steps, said)
        data = as_bytes(stored)
        fresh = result
        if type(result) not in FIXED:
            try:
                node = replay.finder(context) if known.inject else None
                fresh = unpack(packed, function, node, entries)
            except Exception as error:
                raise NotWrittenError(f"can't be loaded again ({error})", type(result).__qualname__) from error
        name = sought.base.hex()
        if asked:
            name = name_of(sought.base, asked)
        entries.write(known.group, name, data)
        if asked:
            self._add_list(entries, sought, tuple(recording.asked))
        self._write_parts(entries, sought.code)
        self._surroundings.note(context, MISS, os.fspath(entries.directory), known.group, name)
        return fresh

    def _add_list(self, entries: Entries, sought: _Sought, questions: tuple[Any, ...]) -> None:
        """Let a list of questions be found the next time."""
        name = sought.base.hex()
        try:
            data = entries.read(self._known.group, name)
            content = None if data is None else from_bytes(data)
        except Exception:
            content = None
        lists = content.lists if isinstance(content, Asks) else []
        if questions not in lists:
            lists = [questions, *lists][:_MOST_LISTS]
            entries.write(self._known.group, name, as_bytes(Asks(lists)))

    def _write_parts(self, entries: Entries, code: bytes) -> None:
        """Keep what the key of the code was made of, so that a change of it can be named."""
        if code in self._known.written:
            return
        import pickle

        name = f"code-{code.hex()[:40]}"
        if not os.path.exists(entries.directory / self._known.group / name):
            entries.write(self._known.group, name, pickle.dumps(self._known.parts(), protocol=5))
        self._known.written.add(code)

    # --- words

    def _refuse(self, context: Any, why: str) -> None:
        self._surroundings.note(context, UNCACHED, why)
        self._warn(context, f"it is not cached: {why}. Give it what can be compared and kept, or leave cache=True out")

    def _warn(self, context: Any, why: str) -> None:
        if why not in self._known.warned:
            self._known.warned.add(why)
            self._surroundings.warn(NotCachedWarning(self._known.name, why), self._known.function)


def _changed(sought: _Sought, bound: dict[str, Any]) -> str | None:
    """Return the name of an argument that is another value than before the call."""
    for name, value in bound.items():
        if type(value) not in FIXED:
            try:
                if brief_key(value) == sought.arguments[name]:
                    continue
            except NoKeyError:
                pass
            return name
    return None


def name_of(base: bytes, asked: list[tuple[Any, bytes]]) -> str:
    """Return the name of the entry of a call that asked these questions and got answers with these keys."""
    whole = blake2b(base, digest_size=20)
    for question, answered in asked:
        whole.update(key(question) + answered)
    return whole.hexdigest()
