"""Keys for definitions: a function crosses to a worker once, and again only when what it captured has changed.

Owned by a warm pool, so keys survive from run to run. Knows nothing of runs.
"""

from __future__ import annotations

import builtins
import types
from _blake2 import blake2b  # as `hashlib` would give it, which is slow to import
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary, finalize

from graflow_fast._run import crossing, plain_functions
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import Executable

if TYPE_CHECKING:
    from graflow_fast._pool.process_pool import ProcessPool


class Entry:
    """What is known of one definition: its key, and the digest of what was sent."""

    __slots__ = ("digest", "epoch", "key", "keys", "stable")

    def __init__(self, key: int, stable: bool) -> None:
        self.key = key
        self.stable = stable
        self.digest = b""
        self.epoch = -1
        #: This definition's key and those of all it names, directly or not.
        self.keys: tuple[int, ...] = (key,)


class DefinitionTable:
    """The definitions that a pool's workers may be told of.

    Attributes:
        epoch: bumped whenever user code may have run here since, so captured state is looked at again.
    """

    def __init__(self, core: Any) -> None:
        self._core = core
        #: Keys for definitions and whatever else this pool's workers are told once.
        self.keys = count(1)
        self._entries: WeakKeyDictionary[Definition, Entry] = WeakKeyDictionary()
        self._by_key: WeakValueDictionary[int, Definition] = WeakValueDictionary()
        #: Entries of definitions that are gone; the collector adds to it, in any thread and at any moment.
        self._gone: deque[Entry] = deque()
        self.epoch = 0

    @staticmethod
    def of_pool(pool: ProcessPool) -> DefinitionTable:
        """Return the table of a pool; it lives as long as the pool."""
        table = _tables.get(pool)
        if table is None:
            table = _tables[pool] = DefinitionTable(pool.core)
        table.forget_gone()
        return table

    def forget_gone(self) -> None:
        """Have the pool and its workers forget the definitions that are gone; for its user's thread."""
        while self._gone:
            self._core.forget(self._gone.popleft().key)

    def keys_for(self, definition: Definition, task_id: str) -> tuple[int, ...]:
        """Return the keys of a definition and of all it names, sent or ready to be sent.

        Raises:
            TaskSerializationError: the function can't be pickled.
        """
        entry = self._entries.get(definition)
        if entry is None or (entry.epoch != self.epoch and not (entry.stable and entry.digest)):
            entry = self._refresh(definition, task_id)
        return entry.keys

    def is_stable(self, definition: Definition) -> bool:
        """Say whether the keys of a definition stay what they are, since it captures nothing that can change."""
        entry = self._entries.get(definition)
        return entry is not None and entry.stable and bool(entry.digest)

    def find(self, key: int) -> Definition:
        """Return the definition with that key, for pickles from workers that name it.

        Raises:
            LookupError: no such definition lives here.
        """
        found = self._by_key.get(key)
        if found is None:
            raise LookupError(f"definition {key} is not known here any more")
        return found

    def _entry(self, definition: Definition) -> Entry:
        entry = self._entries.get(definition)
        if entry is None:
            entry = self._entries[definition] = Entry(next(self.keys), _captures_nothing_mutable(definition.func))
            self._by_key[entry.key] = definition
            finalize(definition, self._gone.append, entry).atexit = False
        return entry

    def _refresh(self, definition: Definition, task_id: str) -> Entry:
        """Pickle a definition, and all it names that may have changed; hand out new keys for changed ones."""
        todo = [definition]
        reached: dict[int, Definition] = {}
        while todo:
            current = todo.pop()
            if id(current) in reached:
                continue
            reached[id(current)] = current
            entry = self._entry(current)
            if entry.epoch != self.epoch and not (entry.stable and entry.digest):
                self._pickle(current, entry, task_id)
            todo.extend(current.named)
        entry = self._entries[definition]
        for found in reached.values():
            inner = self._entries[found]
            inner.keys = (inner.key, *(key for key in self._closure(found) if key != inner.key))
        return entry

    def _closure(self, definition: Definition) -> list[int]:
        seen: dict[int, None] = {}
        todo = [definition]
        while todo:
            current = todo.pop()
            entry = self._entries[current]
            if entry.key not in seen:
                seen[entry.key] = None
                todo.extend(current.named)
        return list(seen)

    def _pickle(self, definition: Definition, entry: Entry, task_id: str) -> None:
        named: list[Definition] = []

        def name(inner: Definition) -> int:
            named.append(inner)
            return self._entry(inner).key

        outer, crossing.here.find_key = crossing.here.find_key, name
        try:
            state = definition.__getstate__()
            blob = plain_functions.dump(state)
            if blob is None:
                from graflow_fast._run.pickling import dump_definition

                named.clear()
                blob = dump_definition(state)
        except Exception as error:
            from graflow_fast._run.serialization import explain_unpicklable

            raise explain_unpicklable(task_id, "function", definition.func, error) from error
        finally:
            crossing.here.find_key = outer
        digest = blake2b(blob, digest_size=16).digest()
        entry.epoch = self.epoch
        definition.named = named
        if digest == entry.digest:
            return
        if entry.digest:
            # Workers have an older content under the old key.
            self._core.forget(entry.key)
            entry.key = next(self.keys)
            self._by_key[entry.key] = definition
        entry.digest = digest
        self._core.define(entry.key, blob)


_tables: WeakKeyDictionary[ProcessPool, DefinitionTable] = WeakKeyDictionary()


def _captures_nothing_mutable(func: Any) -> bool:
    """Say whether a function captures only what can't change: modules, classes, functions of other modules, tasks."""
    code = getattr(func, "__code__", None)
    if code is None or func.__closure__ or func.__defaults__ or func.__kwdefaults__:
        return False
    names = _names_of(code)
    fixed = (types.ModuleType, types.BuiltinFunctionType, type, Executable)
    for name in names:
        if name in func.__globals__:
            value = func.__globals__[name]
            if isinstance(value, types.FunctionType):
                if value.__module__ in ("__main__", None) or value.__module__ == func.__module__:
                    return False
            elif not isinstance(value, fixed):
                return False
        elif not hasattr(builtins, name) and name not in code.co_names:
            return False
    return True


def _names_of(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names_of(constant)
    return names
