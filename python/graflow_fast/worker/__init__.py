"""Not here: graflow's worker daemon for Redis queues."""

from graflow_fast._extras import absent

absent(
    __name__,
    "worker daemon",
    "Worker processes start and end by themselves: executor='process', max_workers=N",
)
