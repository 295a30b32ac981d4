"""The worker's main loop, and what this process has loaded (definitions, views).

A first result waits for what is imported here, so there is no more than what a plain task needs: what runs all others
(`tasks`) is imported with the first of them. Knows nothing of graphs, branches or other workers.
"""

from __future__ import annotations

import sys

from graflow_fast._run import crossing
from graflow_fast._worker import mutations, output, surroundings
from graflow_fast._worker.functions import definition_state
from graflow_fast._worker.imports import import_late, prepare, when_imported
from graflow_fast._worker.plain import PlainTasks
from graflow_fast._worker.view import View
from graflow_fast.core.definition import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast._core import WorkerLink
    from graflow_fast._worker.bodies import Body
    from graflow_fast._worker.mutations import Watch
    from graflow_fast._worker.tasks import Tasks

_EFFECTS = "graflow_fast._worker.effects"
_TASKS = "graflow_fast._worker.tasks"
_SEGMENTS = "graflow_fast._shared.segments"


def run(link: WorkerLink) -> None:
    """Run tasks until the coordinator says stop or is gone."""
    worker = Worker(link)
    if _TASKS not in sys.modules:
        prepare()
    output.install(link.running)
    surroundings.install()
    when_imported(_SEGMENTS, _await_arrival)
    link.watch_output()
    PlainTasks(worker).install()
    while (item := link.next(_uses_shared_memory())) is not None:
        if item:
            worker.tasks().run_task(*item)
        else:  # nothing to do for now
            sys.modules[_SEGMENTS].rest()


def _uses_shared_memory() -> bool:
    segments = sys.modules.get(_SEGMENTS)
    return segments is not None and segments.used()


def _await_arrival(segments: Any) -> None:
    """Have segments made here wait until the coordinator has opened them."""
    segments.arena.awaits_arrival = True


class Worker:
    """What this process has loaded."""

    def __init__(self, link: WorkerLink) -> None:
        self.link = link
        self.definitions: dict[int, Definition] = {}
        self.bodies: dict[int, Body] = {}
        self.views: dict[int, View] = {}
        #: What each body could change of what it captured; None when nothing.
        self.watches: dict[int, Watch | None] = {}
        self.blobs: dict[int, bytes] = {}
        self.keys: dict[Definition, int] = {}
        crossing.Finders.find_definition = staticmethod(self.definition)
        crossing.Finders.find_key = staticmethod(self.keys.get)
        self._tasks: Tasks | None = None

    def tasks(self) -> Tasks:
        """Return what runs tasks that are not plain."""
        if self._tasks is None:
            self._tasks = import_late(_TASKS).Tasks(self)
        return self._tasks

    def definition(self, key: int) -> Definition:
        """Return the definition with that key, loading it when it is first named."""
        found = self.definitions.get(key)
        if found is not None:
            return found
        blob = self.blobs.get(key) or self.link.definition(key)
        if blob is None:
            raise LookupError(f"definition {key} was never sent to this worker")
        # Made before its content is loaded, for the content may name it (a task that enqueues itself).
        made = self.definitions[key] = Definition.__new__(Definition)
        try:
            content = crossing.loads(blob)
            made.__dict__.update(definition_state(content) if type(content) is tuple else content)
        except BaseException as error:
            del self.definitions[key]
            self.blobs[key] = blob  # the link gives it once; whoever asks next shall hear the same reason
            raise import_late(_EFFECTS).unloadable(error) from error
        self.keys[made] = key
        watch = self.watches[key] = mutations.watch(made.func)
        if watch is not None:
            self.blobs[key] = blob  # to be loaded again when a task has changed what it captured
        return made

    def view(self, key: int) -> View:
        """Return the view of the channel with that key, loading it when it is first named."""
        for forgotten in self.link.take_forgotten():
            self.views.pop(forgotten, None)
            self.bodies.pop(forgotten, None)
            definition = self.definitions.pop(forgotten, None)
            if definition is not None:
                self.keys.pop(definition, None)
            self.watches.pop(forgotten, None)
            self.blobs.pop(forgotten, None)
        blob = self.link.definition(key)
        if blob is None:
            raise LookupError(f"view {key} was never sent to this worker")
        made = self.views[key] = View(*crossing.loads(blob))
        return made
