"""Not here: graflow's helpers for Redis clients."""

from graflow_fast._extras import absent

absent(
    __name__,
    "helpers for Redis clients",
    "One machine needs no Redis; where the program has its own use for it, make the client with the redis package",
)
