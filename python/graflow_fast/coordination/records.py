"""Not here: graflow's records for queues in Redis."""

from graflow_fast._extras import absent

absent(
    __name__,
    "record for queues in Redis",
    "One machine needs no Redis: executor='process' feeds worker processes, which start by themselves",
)
