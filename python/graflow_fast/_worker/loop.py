"""The worker's main loop, and what this process has loaded (definitions, views).

A first result waits for what is imported here, so there is no more than what most tasks need. Knows nothing of graphs,
branches or other workers.
"""

from __future__ import annotations

import sys

from graflow_fast._core import Filler
from graflow_fast._wire import crossing
from graflow_fast._wire.functions import DEFINITION, PATTERN, cell_of, value_of
from graflow_fast._wire.imports import import_late, prepare, when_imported
from graflow_fast._worker import mutations, output, surroundings
from graflow_fast._worker.parts import Parts
from graflow_fast._worker.tasks import Tasks
from graflow_fast._worker.view import View
from graflow_fast.core.definition import Definition, Parameter
from graflow_fast.core.running import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast._core import WorkerLink
    from graflow_fast._wire.functions import Given, Template
    from graflow_fast._worker.mutations import Watch

_EFFECTS = "graflow_fast._wire.effects"
#: Imported by the template when there is time; until then a worker imports late what it needs.
_BODIES = "graflow_fast._worker.bodies"
_SEGMENTS = "graflow_fast._wire.shared.segments"


def run(link: WorkerLink) -> None:
    """Run tasks until the coordinator says stop or is gone."""
    worker = Worker(link)
    Process.is_worker = True
    if _BODIES not in sys.modules:
        prepare()
    tasks = Tasks(worker)
    output.install(link.running)
    surroundings.install()
    when_imported(_SEGMENTS, lambda segments: _await_arrival(segments, tasks))
    output.watch(link)
    link.run_tasks(tasks)
    while link.next(_uses_shared_memory()) is not None:  # there is nothing to do for now
        sys.modules[_SEGMENTS].rest()


def _uses_shared_memory() -> bool:
    segments = sys.modules.get(_SEGMENTS)
    return segments is not None and segments.used()


def _await_arrival(segments: Any, tasks: Tasks) -> None:
    """Have segments made here wait until the coordinator has opened them."""
    segments.arena.awaits_arrival = True
    tasks.shares_memory = True


def _nothing() -> None:
    return None


#: What definitions have that say nothing.
_bare = Definition(_nothing).__dict__


class Pattern:
    """What definitions of one function and with the same options have in common.

    Attributes:
        template: the function without what is a definition's own, None when it was imported.
        fields: all else.
        is_unwatched: whether functions of it capture nothing that they could change, as far as it is not their own.
    """

    __slots__ = ("fields", "is_unwatched", "template")

    def __init__(self, template: Template | None, fields: dict[str, Any]) -> None:
        self.template = template
        self.fields = fields
        self.is_unwatched = False


class Worker:
    """What this process has loaded."""

    def __init__(self, link: WorkerLink) -> None:
        self.link = link
        #: Asked for once: the link is in use while another thread of a body waits for an answer.
        self.running = link.running
        self.definitions: dict[int, Definition] = {}
        self.views: dict[int, View] = {}
        self._view_blobs: dict[int, bytes] = {}
        #: What each body could change of what it captured; None when nothing.
        self.watches: dict[int, Watch | None] = {}
        self.blobs: dict[int, bytes] = {}
        self.keys: dict[Definition, int] = {}
        self._parts = Parts(link, crossing.loads)
        self._current = self._parts.current
        self._patterns: dict[int, Pattern] = {}
        #: The keys of initializers that were called here.
        self.initialized: set[int] = set()
        #: The number of what the program has set that is set here.
        self._program = 0
        crossing.received = self
        crossing.number_of_class = self._parts.number_of_class
        crossing.place_of_code = self._parts.place_of_code
        crossing.Finders.find_key = staticmethod(self.keys.get)
        self.part = self._parts.part
        self.template = self._parts.template
        self.copies_of = self._parts.copies_of
        self.classes = self._parts.classes

    def definition(self, key: int) -> Definition:
        """Return the definition with that key (or number), loading it when it is first named."""
        key = self._current.get(key, key)
        found = self.definitions.get(key)
        if found is not None:
            return found
        blob = b"" if key in self._patterns else self.blobs.get(key) or self.link.definition(key)
        if blob is None:
            raise LookupError(f"definition {key} was never sent to this worker")
        # Made before its content is loaded, for the content may name it (a task that enqueues itself).
        made = self.definitions[key] = Definition.__new__(Definition)
        try:
            pattern, is_plain = self._load(made, key, blob)
        except BaseException as error:
            del self.definitions[key]
            self.blobs[key] = blob  # the link gives it once; whoever asks next shall hear the same reason
            raise import_late(_EFFECTS).unloadable(error) from error
        self.keys[made] = key
        if is_plain and pattern is not None and pattern.is_unwatched:
            self.watches[key] = None
            return made
        watch = self.watches[key] = mutations.watch(made.func)
        if is_plain and watch is None and pattern is not None:
            pattern.is_unwatched = True
        if watch is not None and key not in self._patterns:
            self.blobs[key] = blob  # to be loaded again when a task has changed what it captured
        return made

    def _load(self, made: Definition, key: int, blob: bytes) -> tuple[Pattern | None, bool]:
        """Fill a definition; return its pattern, and whether its function has nothing of its own but plain values."""
        content: Any = (DEFINITION, key, None, None, None)  # all that the pattern says, under its key
        if blob and (content := crossing.loads(blob))[0] == PATTERN:
            self._patterns[key] = self._pattern(content)
            content = DEFINITION, key, None, None, None
        if content[0] != DEFINITION:
            made.__dict__.update(self._unpickled(*content[1:]))
            return None, False
        _, key, cells, defaults, keyword_defaults, *pickled = content
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = self._patterns[key] = self._pattern(self._content_of(key))
            del self.blobs[key]
        made.__dict__.update(pattern.fields)
        if pattern.template is not None:
            if pickled:
                contents, defaults, keyword_defaults = self._unpickled(*pickled)
                cells = None if contents is None else tuple([cell_of(*content) for content in contents])
            else:
                cells = None if cells is None else tuple(map(cell_of, cells))
            made.func = pattern.template.make(cells, defaults, keyword_defaults)
        return pattern, not pickled

    def _unpickled(
        self,
        needed: tuple[int, ...],
        current: tuple[tuple[int, int], ...],
        given: Given,
        data: bytes,
    ) -> Any:
        self._parts.current.update(current)
        self._parts.refresh(needed)
        return self._parts.unpickle(given, data)[0]

    def _content_of(self, key: int) -> Any:
        blob = self.blobs.get(key) or self.link.definition(key)
        if blob is None:
            raise LookupError(f"pattern {key} was never sent to this worker")
        self.blobs[key] = blob  # until it is loaded: the link gives it once
        return crossing.loads(blob)

    def _pattern(self, content: Any) -> Pattern:
        _, function, needed, current, name, options, listed, takes_any, shown = content
        self._parts.current.update(current)
        self._parts.refresh(needed)
        template = imported = None
        if type(function) is int:
            template = self._parts.template(function)
        else:
            imported = value_of(function, self._parts.part)
        annotations = template.annotations if template is not None else getattr(imported, "__annotations__", None)
        if annotations is not None:
            shown["__annotations__"] = annotations
        fields = _bare.copy()
        if options is not None:
            fields.update(options)
        fields["name"] = name
        fields["func"] = imported
        if template is None or annotations:  # else they are what is seen of the function here
            fields["_parameters"] = tuple([Parameter(*each) for each in listed])
        fields["_takes_any"] = takes_any
        fields["filler"] = Filler.of_listed(listed, fields["resolve_keyword_args"], takes_any)
        fields["named"], fields["bound_names"], fields["shown"] = [], {}, shown
        return Pattern(template, fields)

    def forget_changes(self) -> None:
        """Load anew what bodies can change, for one has."""
        for key in [key for key, watch in self.watches.items() if watch is not None and key in self.definitions]:
            del self.definitions[key], self.watches[key]
        self._parts.restore()
        if self.initialized:
            import_late("graflow_fast._worker.initializers").restore()

    def forget_gone(self) -> None:
        """Let go of what the coordinator has forgotten."""
        for forgotten in self.link.take_forgotten():
            self.blobs.pop(forgotten, None)
            definition = self.definitions.pop(forgotten, None)
            if definition is not None:
                self.keys.pop(definition, None)
                self.watches.pop(forgotten, None)
                self._patterns.pop(forgotten, None)
            elif self._patterns.pop(forgotten, None) is None and self.views.pop(forgotten, None) is None:
                self._parts.forget(forgotten)

    def view(self, key: int) -> View:
        """Return the view of the channel with that key, loading it when it is first named."""
        self.forget_gone()
        blob = self._view_blobs.pop(key, None) or self.link.definition(key)
        if blob is None:
            raise LookupError(f"view {key} was never sent to this worker")
        self._view_blobs[key] = blob  # the link gives it once, and an initializer may fail
        made = self.views[key] = View(*crossing.loads(blob))
        number, content = made.program
        if number > self._program:
            self._program = number
            import_late("graflow_fast._worker.program.state").set_state(number, content)
        if made.initializer and made.initializer not in self.initialized:
            del self.views[key]
            import_late("graflow_fast._worker.initializers").call(self, made.initializer)
            self.views[key] = made
        del self._view_blobs[key]
        return made
