"""Not here: graflow's task queue in Redis."""

from graflow_fast._extras import absent

absent(
    __name__,
    "queue in Redis",
    "One machine needs no Redis: executor='process' feeds worker processes, which start by themselves",
)
