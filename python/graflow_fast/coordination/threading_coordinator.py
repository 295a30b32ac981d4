"""Not here: graflow's coordinator of threads."""

from graflow_fast._extras import absent

absent(
    __name__,
    "coordinator of threads",
    "with_execution(backend=CoordinationBackend.THREADING) runs a group in threads",
)
