"""Where bodies run: in the calling thread, in threads, in worker processes.

Where to begin: `place` (the interface), `placement` (which one it is), `places` (those of a run). What one carries is
in `attempt`, what it asks of the run in `host`: it knows nothing else of it.
"""
