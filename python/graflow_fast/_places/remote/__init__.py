"""Bodies on an engine that somebody else operates (Dask, Ray, any executor): stations there, our frames in its calls.

Where to begin: `carrier` (the interface of an engine), `pool` (what the place of processes takes for its pool),
`bridge` (the thread between the two), `station` (the other end). Each engine is one file in `carriers`. The place
itself is that of worker processes: it is not told where they are.
"""
