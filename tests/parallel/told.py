"""A pool without workers, and the link of one: what it was told arrives when it is asked for."""

from contextlib import contextmanager

from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._wire import crossing


class Pool:
    """What a pool was told.

    Attributes:
        blobs: by key, unless it has forgotten it.
        sent: what its worker has not taken yet.
    """

    running = None

    def __init__(self):
        self.blobs = {}
        self.sent = {}
        self.waiting = 0
        self.table = DefinitionTable(self)

    def define(self, key, blob):
        self.blobs[key] = self.sent[key] = blob

    share = define

    def forget(self, key):
        del self.blobs[key]
        self.sent.pop(key, None)

    def backlog(self):
        return self.waiting

    # --- the worker's side

    def definition(self, key):
        return self.sent.pop(key, None)

    @contextmanager
    def worker(self):
        """Within, this process is a worker that knows nothing but what it was told."""
        from graflow_fast._worker.loop import Worker

        kept = crossing.received, crossing.number_of_class, crossing.Finders.find_key, dict(crossing.known)
        crossing.known.clear()
        try:
            yield Worker(self)
        finally:
            crossing.received, crossing.number_of_class, find_key, known = kept
            crossing.Finders.find_key = staticmethod(find_key)
            crossing.known.update(known)
