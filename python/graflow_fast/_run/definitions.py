"""Keys for definitions: a function crosses to a worker once, and again only when what it captures has changed.

Owned by a warm pool, so keys survive from run to run. Knows nothing of runs; what can change is `captured`'s.
"""

from __future__ import annotations

from _blake2 import blake2b  # as `hashlib` would give it, which is slow to import
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary, finalize

from graflow_fast._run import crossing, plain_functions
from graflow_fast._run.captured import fixed_bindings, still_hold
from graflow_fast.core.definition import Definition

if TYPE_CHECKING:
    from graflow_fast._pool.process_pool import ProcessPool
    from graflow_fast._run.captured import Bindings


class Entry:
    """What is known of one definition: what was sent of it, under which key, and when that was last looked at."""

    __slots__ = ("bindings", "changed", "digest", "epoch", "key", "keys", "looked", "number", "sent", "used")

    def __init__(self, key: int, number: int) -> None:
        #: The definition's own number, for as long as it lives; its key is another one after each change.
        self.number = number
        self.key = key
        #: This definition's key and those of all it names, directly or not; right as of `epoch`.
        self.keys: tuple[int, ...] = ()
        self.epoch = -1
        #: As of `looked`: a digest of the function with what it captures, definitions by their numbers.
        self.digest = b""
        self.looked = -1
        #: What it captures, if that can only change by binding a name anew.
        self.bindings: Bindings | None = None
        #: Whether it is to be sent anew, and whether it has ever been sent.
        self.changed = True
        self.sent = False
        #: The keys of the definitions it names, as it was sent.
        self.used: tuple[int, ...] = ()


class DefinitionTable:
    """The definitions that a pool's workers may be told of.

    Attributes:
        epoch: bumped whenever user code may have run here since, so captured state is looked at again.
    """

    def __init__(self, core: Any) -> None:
        self._core = core
        #: Keys for definitions and whatever else this pool's workers are told once.
        self.keys = count(1)
        self._numbers = count(1)
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
        if entry is None:
            return self._refresh(definition, task_id).keys
        if entry.epoch != self.epoch:
            if entry.bindings is None or entry.changed or not still_hold(entry.bindings, definition.func):
                return self._refresh(definition, task_id).keys
            entry.epoch = entry.looked = self.epoch  # and it names no other
        return entry.keys

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
            entry = self._entries[definition] = Entry(next(self.keys), next(self._numbers))
            self._by_key[entry.key] = definition
            finalize(definition, self._gone.append, entry).atexit = False
        return entry

    def _refresh(self, definition: Definition, task_id: str) -> Entry:
        """Look again at a definition and all it names; send what has changed, and what names something that has.

        They name each other by their keys, which a change replaces; so all keys are settled before any is sent.
        """
        reached: dict[int, tuple[Definition, Entry]] = {}
        content: dict[int, bytes] = {}
        todo = [definition]
        while todo:
            current = todo.pop()
            entry = self._entry(current)
            if entry.number not in reached:
                content[entry.number] = self._look_again(current, entry, task_id)
                reached[entry.number] = current, entry
                todo.extend(current.named)
        for current, entry in self._outdated(list(reached.values())):
            if entry.sent:  # workers have an older content under the old key
                self._core.forget(entry.key)
                entry.key = next(self.keys)
                self._by_key[entry.key] = current
            entry.changed = True
        for current, entry in reached.values():
            if entry.changed:
                blob = content[entry.number] or self._pickle(current, task_id, lambda inner: self._entry(inner).key)
                self._core.define(entry.key, blob)
                entry.used = self._named_keys(current)
                entry.changed, entry.sent = False, True
        for current, entry in reached.values():
            entry.keys = self._closure(current)
            entry.epoch = self.epoch
        return self._entry(definition)

    def _look_again(self, definition: Definition, entry: Entry, task_id: str) -> bytes:
        """Note whether a definition, or what it captures, has changed since it was last looked at.

        Returns what is to be sent of it if that is known by now, else nothing.
        """
        content = b""
        if entry.looked == self.epoch:
            return content
        if entry.bindings is None or not still_hold(entry.bindings, definition.func):
            named: dict[int, Definition] = {}

            def number(inner: Definition) -> int:
                found = self._entry(inner).number
                named[found] = inner
                return found

            content = self._pickle(definition, task_id, number)
            definition.named = list(named.values())
            entry.bindings = None if named else fixed_bindings(definition.func)
            digest = blake2b(content, digest_size=16).digest()
            entry.changed = entry.changed or digest != entry.digest
            entry.digest = digest
        entry.looked = self.epoch
        return b"" if definition.named else content

    def _outdated(self, reached: list[tuple[Definition, Entry]]) -> list[tuple[Definition, Entry]]:
        """Return those that have changed, or name (directly or not) one that has."""
        changed = {
            entry.number for current, entry in reached if entry.changed or entry.used != self._named_keys(current)
        }
        before = 0
        while len(changed) != before:
            before = len(changed)
            changed.update(
                entry.number
                for current, entry in reached
                if any(self._entry(inner).number in changed for inner in current.named)
            )
        return [(current, entry) for current, entry in reached if entry.number in changed]

    def _named_keys(self, definition: Definition) -> tuple[int, ...]:
        return tuple(self._entry(inner).key for inner in definition.named)

    def _closure(self, definition: Definition) -> tuple[int, ...]:
        seen: dict[int, None] = {}
        todo = [definition]
        while todo:
            current = todo.pop()
            entry = self._entries[current]
            if entry.key not in seen:
                seen[entry.key] = None
                todo.extend(current.named)
        return tuple(seen)

    def _pickle(self, definition: Definition, task_id: str, name: Callable[[Definition], int]) -> bytes:
        """Return a definition as bytes, with those it names as what ``name`` calls them."""
        outer, crossing.here.find_key = crossing.here.find_key, name
        try:
            state = definition.__getstate__()
            blob = plain_functions.dump(state)  # which names no others
            if blob is None:
                from graflow_fast._run.pickling import dump_definition

                blob = dump_definition(state)
            return blob
        except Exception as error:
            from graflow_fast._run.serialization import explain_unpicklable

            raise explain_unpicklable(task_id, "function", definition.func, error) from error
        finally:
            crossing.here.find_key = outer


_tables: WeakKeyDictionary[ProcessPool, DefinitionTable] = WeakKeyDictionary()
