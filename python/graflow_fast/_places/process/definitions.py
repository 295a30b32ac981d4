"""Keys for definitions: a function crosses to a worker once, and again only when what it captures has changed.

A definition is a few bytes: the key of its *pattern* (the function's code, the options, all that the code names) and
the cells and defaults that are its own. Owned by a warm pool, so keys survive from run to run. Knows nothing of runs;
what definitions are is `entries'`, and what functions are made of `parts'`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graflow_fast._places.process.contents import compose, compose_pattern, renew
from graflow_fast._places.process.entries import (
    Entry,
    Pattern,
    current_keys,
    entry_of,
    has_nothing,
    known,
    living,
    living_among,
    look_at,
    numbers_of,
    pattern_of,
    plain_values,
    reach,
    state_of,
    twins,
)
from graflow_fast._places.process.parts import Class, Part, numbers
from graflow_fast._places.process.store import store
from graflow_fast._places.process.tables import add_table, outdate, tables
from graflow_fast._wire import crossing
from graflow_fast._wire.functions import DEFINITION
from graflow_fast.core.definition import Definition

if TYPE_CHECKING:
    from graflow_fast._pool.process_pool import ProcessPool

#: What the core says while another thread waits for its news.
_IN_USE = "the pool is in use by another thread"
#: The tables whose pools have still to be told something.
_behind: set[DefinitionTable] = set()


class DefinitionTable:
    """The definitions that a pool's workers may be told of."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._define = core.define
        #: Keys for definitions and whatever else this pool's workers are told once.
        self.keys = numbers
        #: What the pool was told: the version of each part, and the keys of patterns and definitions.
        self.told: dict[int, Any] = {}
        #: The same of what each worker is told at once.
        self._shared: dict[int, Any] = {}
        #: What is gone; the collector adds to it, in any thread and at any moment.
        self.gone: deque[int] = deque()
        #: Keys that stand for what was before a change, with its parts: tasks that wait may name them.
        self.outdated: list[tuple[int, Any]] = []
        #: (method of the core, number, blob): what other threads had to tell while this pool's own waited for news.
        self._late: deque[tuple[str, int, bytes]] = deque()
        add_table(self)
        with store.lock:
            for part in store.classes():
                self.share(part)

    @property
    def epoch(self) -> int:
        """Bumped whenever user code may have run here since, so captured state is looked at again."""
        return store.epoch

    @epoch.setter
    def epoch(self, _: int) -> None:
        store.epoch += 1

    @staticmethod
    def of_pool(pool: ProcessPool) -> DefinitionTable:
        """Return the table of a pool; it lives as long as the pool."""
        table = _tables.get(pool)
        if table is None:
            table = _tables[pool] = DefinitionTable(pool.core)
        table.forget_gone()
        return table

    def forget_gone(self) -> None:
        """Have the pool and its workers forget what is gone; for its user's thread."""
        if self.outdated and not self._core.backlog():
            outdated, self.outdated = self.outdated, []
            self.gone.extend(key for key, _ in outdated)
            del outdated  # its parts may be gone by this
        while self.gone:
            number = self.gone.popleft()
            self._shared.pop(number, None)
            if self.told.pop(number, None) is not None:
                self._core.forget(number)

    def keys_for(self, definition: Definition, task_id: str) -> tuple[int, ...]:
        """Return the keys of a definition and of all it names, sent or ready to be sent.

        The first one is the definition's own, or that of an equal one.

        Raises:
            TaskSerializationError: the function can't be pickled.
        """
        if self._late:
            self.tell_late()
        entry = known.get(id(definition))
        if entry is not None and entry.epoch == store.epoch and entry.keys and entry.keys[0] in self.told:
            return entry.keys
        try:
            with store.lock:
                return self._plain_keys(definition, entry) or self._settled_keys(definition)
        except Exception as error:
            from graflow_fast._wire.serialization import explain_unpicklable

            raise explain_unpicklable(task_id, "function", definition.func, error) from error

    @staticmethod
    def find(key: int) -> Definition:
        """Return the definition with that key, for pickles from workers that name it.

        Raises:
            LookupError: no such definition lives here.
        """
        return crossing.definition_of(key)

    def share_definition(self, definition: Definition, task_id: str) -> int:
        """Send a definition to each worker, now and to those to come, with all that it needs; return its key.

        Raises:
            TaskSerializationError: the function can't be pickled.
        """
        found = crossing.known[self.keys_for(definition, task_id)[0]]
        with store.lock:
            if not isinstance(found, Entry):  # it has nothing of its own, and no key
                found = entry_of(definition)
                self._settle((found,))
            self._share_all(*reach((found,)))
        return found.key

    # --- definitions whose own values are plain: most

    def _plain_keys(self, definition: Definition, entry: Entry | None) -> tuple[int, ...] | None:
        """Return the keys of a definition if only its pattern names others."""
        function = definition.func
        pattern = pattern_of(definition)
        if pattern is None:
            return None
        if pattern.epoch != store.epoch or pattern.key not in self.told:
            self._settle((pattern,))
            entry = known.get(id(definition))  # its function may name it
        if (entry is None or not entry.key) and has_nothing(pattern, function):
            if entry is None:
                entry = entry_of(definition)
            if pattern.first is None:
                pattern.first = entry
            entry.pattern, entry.keys, entry.epoch = pattern, pattern.keys, store.epoch
            definition.named = pattern.named
            return entry.keys
        twin_key = id(function), id(pattern)
        if entry is None or entry.twin is not None:
            twin = twins.get(twin_key)
            found = None if twin is None else twin()
            if found is not None and found is not definition and found.func is function:
                entry = entry_of(definition)
                entry.twin = found
                entry.keys = self.keys_for(found, "")
                entry.key = entry.keys[0]
                entry.epoch = store.epoch
                return entry.keys
        own = plain_values(pattern, function)
        if own is None:
            return None
        blob = crossing.marshalled_plain((DEFINITION, pattern.key, *own))
        if entry is None:
            entry = entry_of(definition)
        elif entry.twin is not None:
            entry.twin, entry.key = None, 0
        if entry.twin_key is None:
            twins[twin_key] = entry
            entry.twin_key = twin_key
        if entry.blob != blob:
            renew(entry, blob)
            entry.version += 1
            entry.pattern, entry.own = pattern, own
            if entry.pickled is not None:
                entry.pickled, entry.uses = None, ()
            entry.state = pattern.key, entry.version, ()
        self._send(entry.key, 0, blob)
        definition.named = pattern.named
        entry.keys = (entry.key, *pattern.keys)
        entry.epoch = store.epoch
        return entry.keys

    # --- all others

    def _settled_keys(self, definition: Definition) -> tuple[int, ...]:
        entry = entry_of(definition)
        self._settle((entry,))
        return entry.keys

    def _settle(self, roots: Sequence[Any]) -> None:
        """Look again at definitions, patterns or parts and all that they name, and send what has changed.

        Definitions name each other by their keys, which a change replaces; so all keys are settled before any is sent.
        """
        patterns, entries = self._look_at_all(roots)
        for pattern in patterns:
            parts_before = pattern.parts
            pattern.parts, pattern.entries = reach(() if pattern.template is None else (pattern.template,))
            pattern.named = living_among(pattern.entries)
            state = state_of(pattern.parts, pattern.entries)
            if state != pattern.state or not pattern.key:
                pattern.state = state
                outdate(pattern.key, parts_before)
                pattern.renew()
        reached = [reach(entry.uses) for entry in entries]
        for entry, (parts, others) in zip(entries, reached, strict=True):
            key = 0 if entry.pattern is None else entry.pattern.key
            now = (key, entry.version, state_of(parts, others))
            if now != entry.state or not entry.key:
                entry.state = now
                renew(entry, b"", entry.parts)
            entry.parts = parts
        for pattern in patterns:
            compose_pattern(pattern)
        for entry, (parts, others) in zip(entries, reached, strict=True):
            compose(entry, parts, others)
        for pattern in patterns:
            self._send(pattern.key, 0, pattern.blob)
            self._send_parts(pattern.parts)
            pattern.epoch = store.epoch
        for entry in entries:
            self._send(entry.key, 0, entry.blob)
            self._send_parts(entry.parts)
            entry.epoch = store.epoch

    def _look_at_all(self, roots: Sequence[Any]) -> tuple[list[Pattern], list[Entry]]:
        """Look at all that can be reached; return the patterns and definitions among it."""
        if len(roots) == 1 and type(roots[0]) is Pattern and (template := roots[0].template) is not None:
            template.look(store)
            if not template.uses:
                return [roots[0]], []
        patterns: dict[int, Pattern] = {}
        entries: dict[int, Entry] = {}
        parts: dict[int, Part] = {}
        todo: list[Any] = list(roots)
        #: Parts in the order of their numbers, and definitions last: what has something of another part comes after it.
        waiting: list[tuple[int, Part]] = []
        latest: list[Entry] = []
        while todo or waiting or latest:
            if todo:
                current = todo.pop()
                if isinstance(current, Part):
                    if current.number not in parts:
                        parts[current.number] = current
                        heappush(waiting, (current.number, current))
                elif type(current) is Pattern:
                    patterns[id(current)] = current
                    if current.template is not None:
                        todo.append(current.template)
                elif id(current) not in entries:
                    entries[id(current)] = current
                    latest.append(current)
                    if (pattern := pattern_of(living(current))) is not None:
                        todo.append(pattern)
            elif waiting:
                _, part = heappop(waiting)
                part.look(store)
                todo.extend(part.uses)
            else:
                entry = latest.pop()
                look_at(entry)
                todo.extend(entry.uses)
        return list(patterns.values()), list(entries.values())

    # --- sending

    def _send(self, number: int, version: Any, blob: bytes) -> None:
        if self.told.get(number) != version or number not in self.told:
            self.told[number] = version
            self._tell("define", number, blob)

    def _send_parts(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if part.shared:
                self._share(part)
            elif part.number in self._shared:
                self._share_content(part.number, part.version, part.blob)
            else:
                self._send(part.number, part.version, part.blob)

    def _tell(self, how: str, number: int, blob: bytes) -> None:
        """Tell the core now, or later if another thread is using it: a class goes to the pools of all runs."""
        if not self._late:  # whoever is here holds the lock of the store
            try:
                (self._define if how == "define" else self._core.share)(number, blob)
                return
            except RuntimeError as error:
                if str(error) != _IN_USE:
                    raise
        self._late.append((how, number, blob))
        self.tell_late()

    def tell_late(self) -> None:
        """Tell the core what it was not told yet, in order, as far as this can be done now.

        The pool's own thread does it before it sends anything that names it: it isn't waiting for news then.
        """
        with store.lock:
            late = self._late
            while late:
                how, number, blob = late[0]
                try:
                    getattr(self._core, how)(number, blob)
                except RuntimeError as error:
                    if str(error) != _IN_USE:
                        raise
                    _behind.add(self)
                    return
                late.popleft()
            _behind.discard(self)

    def share(self, part: Part) -> None:
        """Send a class to each worker, now and to those to come, with all that it needs."""
        self._settle((part,))
        self._share(part)

    def _share(self, part: Part) -> None:
        parts, entries = reach((part,))
        version = state_of(parts, entries)
        if self._shared.get(part.number) == version:
            return
        self._shared[part.number] = version
        self._share_all((each for each in parts if each is not part), entries)
        assert isinstance(part, Class)
        content = (*part.content, numbers_of(parts), current_keys(entries))
        self.told[part.number] = version
        self._tell("share", part.number, crossing.marshalled_plain(content))

    def _share_all(self, parts: Iterable[Part], entries: Iterable[Entry]) -> None:
        for part in parts:
            if part.shared:
                self._share(part)
            else:
                self._share_content(part.number, part.version, part.blob)
        for entry in entries:
            self._share_content(entry.key, 0, entry.blob)
            if entry.pattern is not None:
                self._share_content(entry.pattern.key, 0, entry.pattern.blob)

    def _share_content(self, number: int, version: int, blob: bytes) -> None:
        if self._shared.get(number) != version:
            self._shared[number] = self.told[number] = version
            self._tell("share", number, blob)


def _number_of_class(kind: type) -> int | None:
    """Return the number of a class that values name; all workers have it from now on.

    In a worker it is the one that both its own workers and the process that it works for know, if there is one.
    """
    if _is_worker and store.number_given_to(kind) is None:
        return None
    part = store.class_of(kind)
    if part is None:
        return None
    if part.told != store.epoch:
        with store.lock:
            for table in tables():
                table.share(part)
            part.told = store.epoch
    if _behind:
        for table in list(_behind):
            table.tell_late()
    return part.number


_tables: WeakKeyDictionary[ProcessPool, DefinitionTable] = WeakKeyDictionary()
#: Whether this process works for another, which calls classes by the numbers that it has sent.
_is_worker = crossing.received is not None
if _is_worker:
    store.number_given_to = crossing.number_of_class
crossing.number_of_class = _number_of_class
