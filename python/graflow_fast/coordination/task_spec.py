"""Not here: graflow's task specification of its coordinators."""

from graflow_fast._extras import absent

absent(
    __name__,
    "task specification of coordinators",
    "graflow_fast.queue.base.TaskSpec is that of queues; groups need none",
)
