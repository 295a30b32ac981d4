"""Not here: graflow's Redis coordinator."""

from graflow_fast._extras import absent

absent(
    __name__,
    "Redis coordinator",
    "One machine needs no Redis: with_execution(backend=CoordinationBackend.PROCESS) runs a group in "
    "worker processes, which start by themselves",
)
